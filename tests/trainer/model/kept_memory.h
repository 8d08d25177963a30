#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <memory>

#include "trainer/model/decoder_model.h"

namespace entune::test {

/// Counts the CPU memory that a thread's tensors take and give back.
class HeldBytes : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t, c10::Device) override { held_ += bytes; }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t get() const { return held_; }

 private:
  std::int64_t held_ = 0;
};

/// Bytes that the graph of the batch's loss keeps for the backward.
inline std::int64_t kept_bytes(DecoderModel& model, const PackedBatch& batch) {
  const auto held = std::make_shared<HeldBytes>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, held);
  const at::Tensor loss = model.loss_sum(batch);
  return held->get();
}

}  // namespace entune::test
