#include "trainer/study/planned_steps.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "trainer/loop/device_memory.h"

namespace entune {
namespace {

template <typename T>
std::vector<T> of_every_rank(Communicator& world, T value, at::ScalarType type) {
  at::Tensor all = at::empty({world.size()}, at::TensorOptions(type));
  world.all_gather(all, at::full({1}, value, at::TensorOptions(type)));
  return {all.data_ptr<T>(), all.data_ptr<T>() + all.numel()};
}

}  // namespace

void PlannedSteps::begin_peak() {
  tensor_bytes_.bytes().reset_peak();
  if (!mesh_.device().is_cpu()) reset_peak_memory(mesh_.device());
}

void PlannedSteps::end_peak() {
  const std::int64_t peak = mesh_.device().is_cpu() ? tensor_bytes_.bytes().peak : peak_memory_bytes(mesh_.device());
  measured_peak_ = std::max(measured_peak_, peak);
}

void PlannedSteps::plan(const BatchLoader& loader, std::int64_t num_steps) {
  Communicator &data = mesh_.axis(MeshAxis::data), &tensor = mesh_.axis(MeshAxis::tensor);
  DryRunOptions dry = dry_run_options(recipe_, setup_, mesh_.device(), data.size(), tensor.size());
  dry.data_rank = data.rank();
  dry.tensor_rank = tensor.rank();
  for (std::int64_t step = 0; step < num_steps; ++step) {
    const StepBatches work = loader.load(step / loader.steps_per_epoch(), step % loader.steps_per_epoch());
    plans_.push_back(dry_run(dry, work.micro_batches));
    for (const PackedBatch& batch : work.micro_batches) {
      if (batch.executed_tokens() > widest_.executed_tokens()) widest_ = batch;
    }
  }
}

void PlannedSteps::measure_rates() {
  const at::Device device = mesh_.device();
  Communicator &data = mesh_.axis(MeshAxis::data), &tensor = mesh_.axis(MeshAxis::tensor);
  mesh_.world().barrier();
  work_.push_back(measure_work_rates(plans_.back(), setup_.config, tensor.size(), widest_,
                                     at::TensorOptions(model_options(recipe_, setup_, device).dtype).device(device)));
  mesh_.world().barrier();
  data_.push_back(measure_axis(data, device));
  tensor_.push_back(measure_axis(tensor, device));
}

nlohmann::ordered_json PlannedSteps::report(std::size_t first, double median_step_seconds) {
  Communicator& world = mesh_.world();
  const WorkRates work = mean_rates(work_.front(), work_.back());
  const AxisRates data = mean_axis(data_.front(), data_.back()), tensor = mean_axis(tensor_.front(), tensor_.back());
  std::int64_t most = 0;
  for (const StepPlan& plan : plans_) most = std::max(most, plan.memory.peak());
  std::vector<double> seconds;
  StepTime last;
  for (std::size_t step = first; step < plans_.size(); ++step) {
    last = step_time(plans_[step], work, data, tensor, /*overlaps=*/!mesh_.device().is_cpu());
    seconds.push_back(over_ranks(world, last.total(), ReduceOp::max));
  }
  const double step_seconds = median(seconds), step_ratio = step_seconds / median_step_seconds;
  const std::vector<std::int64_t> planned = of_every_rank(world, most, at::kLong),
                                  measured = of_every_rank(world, measured_peak_, at::kLong);
  const auto largest = static_cast<std::size_t>(std::ranges::max_element(measured) - measured.begin());
  const double planned_gib = static_cast<double>(planned[largest]) / (1 << 30),
               measured_gib = static_cast<double>(measured[largest]) / (1 << 30);
  lines_ = {
      fmt::format("planned: peak tensor bytes {:.3f} GiB, measured {:.3f}, ratio {:.3f}; step {:.3f} s, measured "
                  "{:.3f}, ratio {:.3f}",
                  planned_gib, measured_gib, planned_gib / measured_gib, step_seconds, median_step_seconds, step_ratio),
      "planned step: " + describe(last)};
  return {{"peak_tensor_bytes", planned},
          {"measured_peak_tensor_bytes", measured},
          {"peak_ratio", planned_gib / measured_gib},
          {"memory", memory_json(plans_.back().memory)},
          {"step_seconds", step_seconds},
          {"measured_step_seconds", median_step_seconds},
          {"step_ratio", step_ratio},
          {"last_step", step_time_json(last)}};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

}  // namespace entune
