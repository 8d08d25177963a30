#pragma once

#include <c10/core/TensorOptions.h>

#include "data/batches/packed_batch.h"
#include "distributed/communicator.h"
#include "trainer/plan/step_time.h"

namespace entune {

/// How fast this rank does the work of a plan, measured now: the products that most of its FLOPs stand in, each by
/// itself; attention as `batch` has it; and additions of the size classes that most of the other operators' bytes stand
/// in. Some seconds on a CPU; ranks that will compete should measure at the same time.
WorkRates measure_work_rates(const StepPlan& plan, const LlamaConfig& config, int tensor_size, const PackedBatch& batch,
                             const c10::TensorOptions& options);

/// The means of two measurements of the same plan and axis.
WorkRates mean_rates(const WorkRates& a, const WorkRates& b);

AxisRates mean_axis(const AxisRates& a, const AxisRates& b);

/// The axis's latency and bandwidth, by all-reduces of a few and of many bytes. Collective.
AxisRates measure_axis(Communicator& axis, c10::Device device);

}  // namespace entune
