#pragma once

#include <algorithm>
#include <map>

#include "trainer/plan/dry_run.h"

namespace entune {

/// How fast a rank works, measured (loop/measured_rates.h) or from a GPU's numbers (plan/gpu_models.h).
struct WorkRates {
  std::map<ProductShape, double> flops_per_second_of;  ///< products of these shapes
  double flops_per_second = 0.0;                       ///< other products
  double attention_flops_per_second = 0.0;
  double attention_backward_flops_per_second = 0.0;
  /// Of operators that make a tensor and of those that change one, by size class; a class that is not here goes as the
  /// next larger one does, or the largest. At least one each.
  std::map<int, double> new_bytes_per_second, in_place_bytes_per_second;
  /// What the host needs to queue an operator on a GPU: a step is not faster than this. 0 on CPUs, where an operator's
  /// time holds it.
  double seconds_per_operator = 0.0;
};

/// One axis of the mesh, by the alpha-beta model: an all-reduce of b bytes over R ranks takes
/// latency + b * 2 (R - 1) / R / bytes_per_second, a gather or scatter half of the second term (NCCL's bus bandwidth).
struct AxisRates {
  int size = 1;
  double latency_seconds = 0.0;
  double bytes_per_second = 0.0;  ///< more than 0 where size > 1
};

/// Seconds of one optimizer step of a rank.
struct StepTime {
  double products = 0.0, attention = 0.0, memory = 0.0;
  double data_axis = 0.0, tensor_axis = 0.0;  ///< exposed
  double hidden = 0.0;                        ///< communication beside the passes
  double host = 0.0;                          ///< queueing of all operators; counts where it is more than the work

  double work() const { return std::max(products + attention + memory, host); }
  double total() const { return work() + data_axis + tensor_axis; }
};

/// Collectives of one axis, one after the other.
double collective_seconds(const CollectiveCounts& calls, const AxisRates& axis);

/// `overlaps`: gradients are reduced beside the last micro-batch's backward, values gathered beside the first one's
/// forward (ParameterBuckets); what does not fit there is exposed.
StepTime step_time(const StepPlan& plan, const WorkRates& rates, const AxisRates& data, const AxisRates& tensor,
                   bool overlaps);

}  // namespace entune
