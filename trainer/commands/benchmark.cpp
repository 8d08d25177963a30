#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/study/cell_benchmark.h"
#include "trainer/study/study.h"

namespace entune {
namespace {

struct Arguments : RecipeArguments, BenchmarkOptions {
  std::string cell = "0";
  std::string output;
};

/// The overrides with a global batch that grows with the data ranks: the recipe's is that of one.
std::vector<std::string> weak_overrides(const Arguments& arguments, std::int64_t world_size) {
  std::vector<std::string> overrides = arguments.overrides;
  const std::vector<StudyCell> cells = expand_study(arguments.recipe, overrides);
  const Recipe& recipe = cells[find_cell(cells, arguments.cell)].loaded.recipe;
  const std::int64_t data = std::max<std::int64_t>(1, world_size / recipe.parallel.tensor);
  std::erase_if(overrides, [](const std::string& entry) { return entry.starts_with("training.global_batch="); });
  overrides.push_back(fmt::format("training.global_batch={}", recipe.training.global_batch * data));
  return overrides;
}

void run_benchmark(Arguments& arguments, Communicator& world) {
  const bool first_rank = world.rank() == 0;
  std::ofstream file;
  if (first_rank && !arguments.output.empty()) {
    file.open(arguments.output);
    if (!file) throw InputError(fmt::format("{}: cannot be written; give another file to --output", arguments.output));
  }
  std::vector<StudyCell> expanded =
      expand_study(arguments.recipe, arguments.weak ? weak_overrides(arguments, world.size()) : arguments.overrides);
  const std::size_t chosen = find_cell(expanded, arguments.cell);
  const auto [cells, setups, data] = set_up_study(std::move(expanded), world.size());
  if (first_rank) arguments.say = [](const std::string& line) { fmt::print("{}\n", line); };
  nlohmann::ordered_json result = benchmark_cell(cells[chosen], setups[chosen], data[chosen], world, arguments);
  result["recipe"] = arguments.recipe;
  if (!first_rank) return;
  const std::string line = result.dump();
  if (file.is_open() && !(file << line << "\n").flush())
    throw std::runtime_error(fmt::format("{}: could not be written whole", arguments.output));
  fmt::print("{}\n", line);
}

}  // namespace

void add_benchmark(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "benchmark", "Time a recipe's training steps: tokens, FLOPs, phases, memory; the last line is JSON");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command->add_option("--cell", arguments->cell, "Cell of the study (number from 0, or name)")->capture_default_str();
  command->add_option("--warmup", arguments->warmup, "Steps before those that are timed")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--steps", arguments->steps, "Steps that are timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--weak", arguments->weak,
                    "Weak scaling: training.global_batch is that of one data rank; all have as many");
  command->add_option("--output,-o", arguments->output, "File for the JSON line too")->type_name("FILE");
  command
      ->add_option("--dump", arguments->dump,
                   "Directory (absent or empty) for the steps' samples as token ids and the adapter that they start "
                   "from, so that another program can train on the same; it holds the texts")
      ->type_name("DIR");
  command->callback(
      [&context, arguments] { context.run = [&context, arguments] { run_benchmark(*arguments, context.world); }; });
}

}  // namespace entune
