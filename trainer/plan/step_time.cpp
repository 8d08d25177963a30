#include "trainer/plan/step_time.h"

#include <algorithm>

namespace entune {
namespace {

struct WorkSeconds {
  double products = 0.0, attention = 0.0, memory = 0.0;
  double sum() const { return products + attention + memory; }
};

double at_size(const std::map<int, double>& rates, int size) {
  const auto found = rates.lower_bound(size);
  return found == rates.end() ? rates.rbegin()->second : found->second;
}

WorkSeconds work_seconds(const OperatorCosts& costs, const WorkRates& rates) {
  WorkSeconds seconds;
  for (const auto& [shape, times] : costs.products) {
    const auto measured = rates.flops_per_second_of.find(shape);
    const double rate = measured == rates.flops_per_second_of.end() ? rates.flops_per_second : measured->second;
    seconds.products += shape.flops() * static_cast<double>(times) / rate;
  }
  seconds.attention = costs.attention_flops / rates.attention_flops_per_second +
                      costs.attention_backward_flops / rates.attention_backward_flops_per_second;
  for (const auto& [size, bytes] : costs.new_bytes) seconds.memory += bytes / at_size(rates.new_bytes_per_second, size);
  for (const auto& [size, bytes] : costs.in_place_bytes)
    seconds.memory += bytes / at_size(rates.in_place_bytes_per_second, size);
  return seconds;
}

CollectiveCounts only(const CollectiveCounts& calls, bool gathers) {
  CollectiveCounts chosen{};
  const auto gather = static_cast<std::size_t>(Collective::all_gather);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if ((i == gather) == gathers) chosen[i] = calls[i];
  }
  return chosen;
}

}  // namespace

double collective_seconds(const CollectiveCounts& calls, const AxisRates& axis) {
  if (axis.size == 1) return 0.0;
  const double once = static_cast<double>(axis.size - 1) / static_cast<double>(axis.size);
  double seconds = 0.0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const double factor = static_cast<Collective>(i) == Collective::all_reduce ? 2.0 * once : once;
    seconds += static_cast<double>(calls[i].calls) * axis.latency_seconds +
               static_cast<double>(calls[i].bytes) * factor / axis.bytes_per_second;
  }
  return seconds;
}

StepTime step_time(const StepPlan& plan, const WorkRates& rates, const AxisRates& data, const AxisRates& tensor,
                   bool overlaps) {
  const WorkSeconds forward = work_seconds(plan.forward, rates), backward = work_seconds(plan.backward, rates),
                    update = work_seconds(plan.update, rates);
  StepTime time;
  time.products = forward.products + backward.products + update.products;
  time.attention = forward.attention + backward.attention + update.attention;
  time.memory = forward.memory + backward.memory + update.memory;
  const std::int64_t operators = plan.forward.num_operators + plan.backward.num_operators + plan.update.num_operators;
  time.host = static_cast<double>(operators) * rates.seconds_per_operator;
  time.tensor_axis =
      collective_seconds(plan.tensor_calls, tensor) + collective_seconds(plan.tensor_update_calls, tensor);
  time.data_axis = collective_seconds(plan.data_calls, data);

  const double micro_batches = static_cast<double>(std::max<std::int64_t>(1, plan.num_micro_batches));
  const auto beside = [&](bool gathers, double room) {
    const double seconds = collective_seconds(only(plan.data_update_calls, gathers), data);
    const double hidden = overlaps ? std::min(seconds, room / micro_batches) : 0.0;
    time.hidden += hidden;
    time.data_axis += seconds - hidden;
  };
  beside(true, forward.sum());
  beside(false, backward.sum());
  return time;
}

}  // namespace entune
