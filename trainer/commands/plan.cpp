#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/report/text_table.h"
#include "trainer/study/layout_plan.h"
#include "trainer/study/study.h"

namespace entune {
namespace {

using nlohmann::ordered_json;

constexpr double kGib = 1 << 30;
constexpr double kMib = 1 << 20;
constexpr std::size_t kLayoutsShown = 8;

struct Arguments : RecipeArguments {
  std::string cell = "0";
  std::vector<std::int64_t> gpus;
  std::string gpu;
  std::vector<std::int64_t> lengths;
  std::string json_file;
};

/// What is planned for.
struct Planned {
  StudyCell cell;
  CellSetup setup;
  std::vector<TrainingSample> samples;
  bool has_data = true;  ///< false: samples of stated lengths, which say nothing of an epoch
};

/// Texts of these lengths in tokens behind one prompt: {prompt, text, answer}.
std::vector<TrainingSample> stated_samples(const std::vector<std::int64_t>& lengths, std::int64_t count) {
  TrainingSample sample;
  sample.tokens.answer_start = lengths[0] + lengths[1];
  sample.tokens.ids.assign(lengths[0] + lengths[1] + lengths[2], 0);
  std::vector<TrainingSample> samples(static_cast<std::size_t>(count), sample);
  for (std::int64_t i = 0; i < count; ++i) samples[i].tokens.ids[lengths[0]] = static_cast<TokenId>(1 + i % 2);
  return samples;
}

/// The recipe's parallel.data may name another number of ranks than those that are asked for.
std::int64_t ranks_of_layout(const Recipe& recipe) {
  return std::max<std::int64_t>(1, recipe.parallel.data) * recipe.parallel.tensor;
}

Planned read(const Arguments& arguments) {
  if (!arguments.lengths.empty() && arguments.lengths.size() != 3)
    throw InputError("--lengths: expected three lengths, PROMPT,TEXT,ANSWER (--lengths 600,100,40)");
  std::vector<StudyCell> cells =
      expand_study(arguments.recipe, arguments.overrides, {.check_files = arguments.lengths.empty()});
  StudyCell cell = std::move(cells[find_cell(cells, arguments.cell)]);
  const Recipe& recipe = cell.loaded.recipe;
  if (recipe.training.method == TrainingMethod::none)
    throw InputError(fmt::format("{}: expected a cell that trains, found training.method: none", cell.name));
  const std::int64_t ranks = ranks_of_layout(recipe);
  Planned planned;
  if (arguments.lengths.empty()) {
    std::vector<StudyCell> alone;
    alone.push_back(std::move(cell));
    PreparedStudy study = set_up_study(std::move(alone), ranks);
    planned = {std::move(study.cells[0]), std::move(study.setups[0]), {}, true};
    planned.samples = training_samples(planned.cell.loaded.recipe, planned.setup, study.data[0].train);
    if (planned.samples.empty())
      throw InputError(fmt::format("{}: expected texts to train on, found none", planned.cell.name));
  } else {
    planned.setup = set_up_shape(recipe, ranks);
    planned.samples = stated_samples(arguments.lengths, 4 * recipe.training.global_batch);
    planned.has_data = false;
    planned.cell = std::move(cell);
  }
  return planned;
}

ordered_json calls_json(const CollectiveCounts& calls) {
  constexpr const char* kNames[kNumCollectives] = {"all_reduce", "all_gather", "reduce_scatter", "broadcast",
                                                   "barrier"};
  ordered_json json = ordered_json::object();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].calls > 0) json[kNames[i]] = {{"calls", calls[i].calls}, {"bytes", calls[i].bytes}};
  }
  return json;
}

double product_flops(const StepPlan& step) { return step.forward.product_flops() + step.backward.product_flops(); }
double attention_flops(const StepPlan& step) {
  double sum = 0.0;
  for (const OperatorCosts* costs : {&step.forward, &step.backward})
    sum += costs->attention_flops + costs->attention_backward_flops;
  return sum;
}

ordered_json layout_json(const LayoutPlan& plan, std::int64_t usable) {
  const StepPlan& step = plan.step;
  ordered_json json = {
      {"layout", describe(plan.layout)},
      {"fits", usable == 0 || step.memory.peak() <= usable},
      {"memory", memory_json(step.memory)},
      {"flops", {{"products", product_flops(step)}, {"attention", attention_flops(step)}}},
      {"tokens",
       {{"logical", plan.tokens.logical}, {"executed", plan.tokens.executed}, {"supervised", plan.tokens.supervised}}},
      {"data_axis", {{"passes", calls_json(step.data_calls)}, {"update", calls_json(step.data_update_calls)}}},
      {"tensor_axis", {{"passes", calls_json(step.tensor_calls)}, {"update", calls_json(step.tensor_update_calls)}}}};
  if (plan.time.total() > 0.0) json["step_seconds"] = step_time_json(plan.time);
  return json;
}

void print_calls(const char* name, const CollectiveCounts& passes, const CollectiveCounts& update) {
  std::int64_t calls = 0, bytes = 0;
  for (const CollectiveCounts* counts : {&passes, &update}) {
    for (const CollectiveCount& count : *counts) {
      calls += count.calls;
      bytes += count.bytes;
    }
  }
  if (calls > 0)
    fmt::print("{}: {} calls, {:.1f} MiB a step and rank\n", name, calls, static_cast<double>(bytes) / kMib);
}

/// The plan of one number of ranks: prints it and gives it as JSON.
class RankPlan {
 public:
  RankPlan(const Planned& planned, const GpuModel* gpu, std::int64_t num_ranks)
      : planned_(planned),
        recipe_(planned.cell.loaded.recipe),
        gpu_(gpu),
        num_ranks_(static_cast<int>(num_ranks)),
        planner_(recipe_, planned.setup, planned.samples, gpu) {}

  ordered_json print() {
    fmt::print("\n{} {}{}\n", num_ranks_, gpu_ == nullptr ? "CPU rank" : gpu_->name, num_ranks_ == 1 ? "" : "s");
    json_ = {{"ranks", num_ranks_}, {"gpu", gpu_ == nullptr ? ordered_json() : ordered_json(gpu_->name)}};
    std::optional<LayoutPlan> own;
    const PlannedLayout layout = layout_of(recipe_, num_ranks_);
    const std::vector<PlannedLayout> possible = planner_.layouts(num_ranks_);
    if (possible.empty()) {
      fmt::print("no layout: the data axis would have more ranks than training.global_batch = {} has texts\n",
                 recipe_.training.global_batch);
      return json_;
    }
    if (num_ranks_ % recipe_.parallel.tensor == 0 && layout.data <= recipe_.training.global_batch) {
      own = planner_.plan(layout);
      print_layout(*own, "the recipe's layout");
      json_["recipe"] = layout_json(*own, usable());
    } else {
      fmt::print(
          "the recipe's layout needs another number of ranks (parallel.tensor = {}, training.global_batch = {})\n",
          recipe_.parallel.tensor, recipe_.training.global_batch);
    }
    if (gpu_ == nullptr) return json_;
    const std::vector<LayoutPlan> fitting = planner_.fitting(num_ranks_, usable());
    if (own && own->step.memory.peak() > usable())
      fmt::print("{}\n", cannot_fit(recipe_.name, *own, usable(), fitting));
    print_fitting(fitting);
    return json_;
  }

 private:
  std::int64_t usable() const { return gpu_ == nullptr ? 0 : usable_bytes(gpu_->memory_bytes); }

  void print_layout(const LayoutPlan& plan, const char* title) {
    const StepPlan& step = plan.step;
    const MemoryPlan& memory = step.memory;
    fmt::print("{}: {}\n", title, describe(plan.layout));
    TextTable table({"memory of a rank", "GiB"});
    const auto row = [&](const char* part, std::int64_t bytes) {
      table.add_row({part, fmt::format("{:.2f}", static_cast<double>(bytes) / kGib)});
    };
    row("weights", memory.weights);
    row("adapters", memory.adapters);
    row("gradients", memory.gradients);
    row("optimizer", memory.optimizer);
    row("activations kept for the backward", memory.activations);
    row("working memory at the peak", memory.working);
    row("peak", memory.peak());
    if (usable() > 0) row("usable", usable());
    fmt::print("{}", table.str());
    fmt::print(
        "a step of a rank: {} micro-batches, {} tokens executed ({} logical, {} supervised), {:.2f} TFLOP of "
        "products, {:.2f} of attention\n",
        step.num_micro_batches, plan.tokens.executed, plan.tokens.logical, plan.tokens.supervised,
        product_flops(step) / 1e12, attention_flops(step) / 1e12);
    print_calls("data axis", step.data_calls, step.data_update_calls);
    print_calls("tensor axis", step.tensor_calls, step.tensor_update_calls);
    if (gpu_ == nullptr) return;
    fmt::print("step: {:.4f} s: {}\n", plan.time.total(), describe(plan.time));
    if (!planned_.has_data) return;
    const std::int64_t steps = plan.steps_per_epoch * recipe_.training.epochs;
    const double hours = static_cast<double>(steps) * plan.time.total() / 3600.0, gpu_hours = hours * num_ranks_;
    const double cost = gpu_hours * recipe_.gpu_hour_price_usd;
    json_["training"] = {{"steps", steps}, {"hours", hours}, {"gpu_hours", gpu_hours}, {"cost_usd", cost}};
    fmt::print("training: {} steps, {:.2f} hours, {:.2f} GPU hours{}; without loading, evaluation and checkpoints\n",
               steps, hours, gpu_hours,
               recipe_.gpu_hour_price_usd > 0.0 ? fmt::format(", {:.2f} USD", cost)
                                                : std::string(" (telemetry.gpu_hour_price_usd gives the cost)"));
  }

  void print_fitting(const std::vector<LayoutPlan>& fitting) {
    json_["fitting"] = ordered_json::array();
    if (fitting.empty()) return fmt::print("no layout fits\n");
    TextTable table({"layouts that fit, the fastest first", "GiB", "step s", "exposed s", "texts/s"});
    for (std::size_t i = 0; i < fitting.size(); ++i) {
      const LayoutPlan& plan = fitting[i];
      json_["fitting"].push_back(layout_json(plan, usable()));
      if (i >= kLayoutsShown) continue;
      table.add_row({describe(plan.layout), fmt::format("{:.1f}", static_cast<double>(plan.step.memory.peak()) / kGib),
                     fmt::format("{:.4f}", plan.time.total()),
                     fmt::format("{:.4f}", plan.time.data_axis + plan.time.tensor_axis),
                     fmt::format("{:.1f}", static_cast<double>(recipe_.training.global_batch) / plan.time.total())});
    }
    fmt::print("{}", table.str());
  }

  const Planned& planned_;
  const Recipe& recipe_;
  const GpuModel* gpu_;
  int num_ranks_;
  LayoutPlanner planner_;
  ordered_json json_;
};

void plan(const Arguments& arguments, int world_size) {
  std::ofstream file;
  if (!arguments.json_file.empty()) {
    file.open(arguments.json_file);
    if (!file) throw InputError(fmt::format("{}: cannot be written; give another file to --json", arguments.json_file));
  }
  std::optional<GpuModel> gpu;
  if (!arguments.gpu.empty()) gpu = find_gpu_model(arguments.gpu);
  const Planned planned = read(arguments);
  const Recipe& recipe = planned.cell.loaded.recipe;
  fmt::print("{}: {}, {}, prefix {}, {} texts a step, micro-batches of {} tokens\n", planned.cell.name,
             recipe.model.init == "random" ? recipe.model.preset : recipe.model.path,
             method_name(recipe.training.method), recipe.training.prefix_sharing ? "shared" : "not shared",
             recipe.training.global_batch, recipe.training.micro_batch_tokens);
  if (gpu) {
    fmt::print("{}: {}\n", gpu->name, gpu->source);
  } else {
    fmt::print("no --gpu: memory, work and communication on CPUs; trainer benchmark measures and plans their times\n");
  }
  ordered_json result = {{"plan", 1}, {"recipe", arguments.recipe}, {"cell", planned.cell.name}};
  result["counts"] = ordered_json::array();
  std::vector<std::int64_t> counts = arguments.gpus;
  if (counts.empty()) counts.push_back(world_size);
  for (const std::int64_t count : counts)
    result["counts"].push_back(RankPlan(planned, gpu ? &*gpu : nullptr, count).print());
  if (file.is_open() && !(file << result.dump(2) << "\n").flush())
    throw std::runtime_error(fmt::format("{}: could not be written whole", arguments.json_file));
}

}  // namespace

void add_plan(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "plan",
      "Say what a recipe's training takes: memory by part, FLOPs, communication, time, cost, and which layouts fit");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command->add_option("--cell", arguments->cell, "Cell of the study (number from 0, or name)")->capture_default_str();
  command->add_option("--gpus", arguments->gpus, "Numbers of ranks to plan for, with commas (default: those started)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  command->add_option("--gpu", arguments->gpu, "Kind of GPU; without it CPUs, without times")
      ->check(CLI::IsMember(gpu_model_names()));
  command
      ->add_option("--lengths", arguments->lengths,
                   "PROMPT,TEXT,ANSWER: lengths in tokens to plan with instead of the data; then neither data nor, for "
                   "a preset with model.init=random, a model directory are needed")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  command->add_option("--json", arguments->json_file, "File for the plan as JSON")->type_name("FILE");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() == 0) plan(*arguments, context.world.size());
    };
  });
}

}  // namespace entune
