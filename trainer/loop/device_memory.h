#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace entune {

/// The most memory held at once since the last reset, in bytes: on a CPU the process's resident memory
/// (process_memory.h), on a GPU what tensors on it have held.
std::int64_t peak_memory_bytes(c10::Device device);
/// Starts the peak anew.
void reset_peak_memory(c10::Device device);

/// What the allocator of a GPU has taken, in bytes, and how often that was hard, since the process began. Peaks: since
/// the last reset.
struct GpuMemory {
  std::int64_t allocated = 0, allocated_peak = 0;  ///< by tensors
  std::int64_t reserved = 0, reserved_peak = 0;    ///< from the GPU
  std::int64_t num_retries = 0;                    ///< allocations that first had to empty the cache
  std::int64_t num_failures = 0;
};
GpuMemory gpu_memory(c10::Device gpu);
/// All of a GPU's memory.
std::int64_t gpu_capacity_bytes(c10::Device gpu);

}  // namespace entune
