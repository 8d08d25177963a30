#include "trainer/study/layout_plan.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "data/input_error.h"
#include "trainer/loop/device_memory.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_training.h"

namespace entune {
namespace {

constexpr double kGib = 1 << 30;
constexpr ActivationCheckpointing kCheckpointing[] = {ActivationCheckpointing::none, ActivationCheckpointing::selective,
                                                      ActivationCheckpointing::full};

std::string checkpointing_name(ActivationCheckpointing checkpointing) {
  return checkpointing == ActivationCheckpointing::none        ? "none"
         : checkpointing == ActivationCheckpointing::selective ? "selective"
                                                               : "full";
}

std::string gib(std::int64_t bytes) { return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / kGib); }

StepBatches widest_step(const BatchLoader& loader) {
  StepBatches widest = loader.load(0, 0);
  const auto width = [](const StepBatches& work) {
    std::int64_t tokens = 0;
    for (const PackedBatch& batch : work.micro_batches) tokens = std::max(tokens, batch.executed_tokens());
    return tokens;
  };
  for (std::int64_t step = 1; step < std::min(loader.steps_per_epoch(), kStepsLookedAt); ++step) {
    StepBatches work = loader.load(0, step);
    if (width(work) > width(widest)) widest = std::move(work);
  }
  return widest;
}

/// A field of /proc/meminfo in bytes; 0 if it is not there.
std::int64_t machine_memory(const std::string& field) {
  std::ifstream info("/proc/meminfo");
  std::string name;
  for (std::int64_t kibibytes = 0; info >> name >> kibibytes; info.ignore(64, '\n')) {
    if (name == field + ":") return kibibytes * 1024;
  }
  return 0;
}

/// One micro-batch of as many tokens as the recipe allows, one text.
PackedBatch fullest_micro_batch(const Recipe& recipe) {
  PackedBatch batch;
  const std::int64_t rows =
      std::min(recipe.training.micro_batch_tokens, recipe.training.global_batch * recipe.training.max_tokens);
  batch.token_ids.assign(rows, 0);
  for (std::int64_t i = 0; i < rows; ++i) batch.positions.push_back(i);
  batch.leaf_offsets = {0, rows};
  batch.samples = {0};
  batch.loss_rows.assign(std::max<std::int64_t>(1, rows / 8), rows - 1);
  batch.loss_targets.assign(batch.loss_rows.size(), 0);
  batch.loss_weights.assign(batch.loss_rows.size(), 1.0F);
  return batch;
}

void require_fit_on_cpus(const StudyCell& cell, const CellSetup& setup, Communicator& world) {
  const Recipe& recipe = cell.loaded.recipe;
  const std::int64_t num_ranks = world.split_by_machine()->size(), all = machine_memory("MemTotal"),
                     available = machine_memory("MemAvailable");
  if (all == 0) return;
  const PlannedLayout layout = layout_of(recipe, world.size());
  const DryRunOptions dry = dry_run_options(recipe, setup, at::kCPU, layout.data, layout.tensor);
  const std::int64_t held = num_ranks * dry_run(dry, {}).memory.always_held();
  const bool too_much = over_ranks(world, held > all ? 1.0 : 0.0, ReduceOp::max) > 0.0;
  if (too_much) {
    throw InputError(fmt::format(
        "{}: weights, gradients and optimizer of {} ranks on a machine take {}, the machine has {}; train adapters "
        "(training.method: lora), set model.dtype: bfloat16 or parallel.zero: 1, or take more machines",
        cell.name, num_ranks, gib(held), gib(all)));
  }
  if (world.rank() != 0 || held < available / 4) return;  // the rest is not worth the look
  const std::int64_t peak = num_ranks * dry_run(dry, {fullest_micro_batch(recipe)}).memory.peak();
  if (peak > available) {
    fmt::print(stderr,
               "warning: {}: a micro-batch of training.micro_batch_tokens = {} would take up to {} on {} ranks, {} of "
               "the machine's memory are free; trainer plan says what takes it\n",
               cell.name, recipe.training.micro_batch_tokens, gib(peak), num_ranks, gib(available));
  }
}

}  // namespace

std::string describe(const PlannedLayout& layout) {
  return fmt::format("data {} x tensor {}, zero {}, checkpointing {}", layout.data, layout.tensor, layout.zero,
                     checkpointing_name(layout.checkpointing));
}

PlannedLayout layout_of(const Recipe& recipe, int num_ranks) {
  const auto tensor = static_cast<int>(recipe.parallel.tensor);
  return {num_ranks / tensor, tensor, recipe.parallel.zero, recipe.training.activation_checkpointing};
}

LayoutPlan LayoutPlanner::plan(const PlannedLayout& layout) const {
  const BatchLoader loader(samples_, batch_options(recipe_), recipe_.seed, 0, layout.data);
  const StepBatches work = widest_step(loader);
  const at::Device device = gpu_ == nullptr ? at::kCPU : at::Device(at::kCUDA, 0);
  DryRunOptions dry = dry_run_options(recipe_, setup_, device, layout.data, layout.tensor);
  dry.shard_optimizer = layout.zero == 1;
  dry.model.checkpointing = layout.checkpointing;
  LayoutPlan plan{.layout = layout,
                  .step = dry_run(dry, work.micro_batches),
                  .time = {},
                  .steps_per_epoch = loader.steps_per_epoch(),
                  .tokens = work.tokens};
  if (gpu_ != nullptr) {
    plan.time = step_time(plan.step, work_rates(*gpu_), axis_rates(*gpu_, layout.data, layout.tensor, false),
                          axis_rates(*gpu_, layout.data, layout.tensor, true), /*overlaps=*/true);
  }
  return plan;
}

std::vector<PlannedLayout> LayoutPlanner::layouts(int num_ranks) const {
  const LlamaConfig& config = setup_.config;
  std::vector<PlannedLayout> all;
  for (int tensor = 1; tensor <= std::min(num_ranks, kGpusOfMachine); ++tensor) {
    if (num_ranks % tensor != 0 || config.num_heads % tensor != 0 || config.num_kv_heads % tensor != 0 ||
        config.intermediate_size % tensor != 0 || kGpusOfMachine % tensor != 0)
      continue;
    const int data = num_ranks / tensor;
    if (data > recipe_.training.global_batch) continue;  // ranks without a text
    for (const ActivationCheckpointing checkpointing : kCheckpointing) {
      for (const std::int64_t zero : {0, 1}) {
        if (zero == 1 || data > 1) all.push_back({data, tensor, zero, checkpointing});
      }
    }
  }
  return all;
}

std::vector<LayoutPlan> LayoutPlanner::fitting(int num_ranks, std::int64_t bytes) const {
  std::vector<LayoutPlan> fitting;
  for (const PlannedLayout& layout : layouts(num_ranks)) {
    LayoutPlan candidate = plan(layout);
    if (candidate.step.memory.peak() <= bytes) fitting.push_back(std::move(candidate));
  }
  std::ranges::stable_sort(fitting, {}, [](const LayoutPlan& plan) { return plan.time.total(); });
  return fitting;
}

namespace {

void require_fit_on_gpus(const StudyCell& cell, const CellSetup& setup, const std::vector<Example>& examples,
                         at::Device device, Communicator& world) {
  const std::int64_t usable = usable_bytes(
      static_cast<std::int64_t>(-over_ranks(world, -static_cast<double>(gpu_capacity_bytes(device)), ReduceOp::max)));
  const Recipe& recipe = cell.loaded.recipe;
  const std::vector<TrainingSample> samples = training_samples(recipe, setup, examples);
  const GpuModel gpu = *find_gpu_model("h100");  // for the order of the layouts alone
  const LayoutPlanner planner(recipe, setup, samples, &gpu);
  const LayoutPlan planned = planner.plan(layout_of(recipe, world.size()));
  if (planned.step.memory.peak() <= usable) return;
  throw InputError(cannot_fit(cell.name, planned, usable, planner.fitting(world.size(), usable)));
}

}  // namespace

void require_fit(const StudyCell& cell, const CellSetup& setup, const std::vector<Example>& examples, at::Device device,
                 Communicator& world) {
  if (cell.loaded.recipe.training.method == TrainingMethod::none || examples.empty()) return;
  try {
    if (device.is_cpu()) return require_fit_on_cpus(cell, setup, world);
    require_fit_on_gpus(cell, setup, examples, device, world);
  } catch (const c10::NotImplementedError&) {
    // An operator that libtorch lacks for tensors without memory: nothing is known, on any rank.
    if (world.rank() == 0)
      fmt::print(stderr, "warning: {}: could not be planned; nothing says whether it fits\n", cell.name);
  }
}

std::string cannot_fit(const std::string& name, const LayoutPlan& planned, std::int64_t usable,
                       const std::vector<LayoutPlan>& fitting) {
  const MemoryPlan& memory = planned.step.memory;
  std::string text = fmt::format(
      "{}: cannot fit: a rank would take {} ({}): weights {}, adapters {}, gradients {}, optimizer {}, activations {}, "
      "working memory {}; tensors can have {} of a GPU",
      name, gib(memory.peak()), describe(planned.layout), gib(memory.weights), gib(memory.adapters),
      gib(memory.gradients), gib(memory.optimizer), gib(memory.activations), gib(memory.working), gib(usable));
  if (fitting.empty())
    return text +
           "; no layout on so many GPUs fits: take more, a smaller model or training.method: lora, or lower "
           "training.micro_batch_tokens";
  text += "; these would fit:";
  constexpr std::size_t kMostShown = 6;
  for (std::size_t i = 0; i < std::min(kMostShown, fitting.size()); ++i)
    text += fmt::format("\n  {}: {}", describe(fitting[i].layout), gib(fitting[i].step.memory.peak()));
  return text;
}

}  // namespace entune
