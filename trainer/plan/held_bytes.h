#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace entune {

/// Bytes that tensors hold, and the most that they have held since the last reset.
struct HeldBytes {
  std::int64_t held = 0;
  std::int64_t peak = 0;
  std::int64_t largest = 0;  ///< single tensor

  void add(std::int64_t bytes) {
    held += bytes;
    peak = std::max(peak, held);
    largest = std::max(largest, bytes);
  }
  void reset_peak() { peak = held; }
};

/// Counts the CPU memory that this thread's tensors take and give back while it lives, to the byte that was asked for:
/// what the planned peak is held against. Tensors that are older than it are not counted when they go.
class CpuTensorBytes {
 public:
  CpuTensorBytes();
  HeldBytes& bytes();

 private:
  class Reports;
  std::shared_ptr<Reports> reports_;
  c10::DebugInfoGuard guard_;
};

/// Counts the memory that this thread's tensors on the meta device would take if they had any. One at a time in a
/// thread. `granularity`: every tensor takes a multiple of it (512 on a GPU, as its caching allocator rounds).
class MetaTensorBytes {
 public:
  explicit MetaTensorBytes(std::int64_t granularity);
  ~MetaTensorBytes();
  MetaTensorBytes(const MetaTensorBytes&) = delete;
  MetaTensorBytes& operator=(const MetaTensorBytes&) = delete;
  HeldBytes& bytes() { return *bytes_; }

 private:
  std::shared_ptr<HeldBytes> bytes_;
};

}  // namespace entune
