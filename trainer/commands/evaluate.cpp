#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "data/scoring/score_report.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/window_arguments.h"
#include "trainer/evaluate/evaluator.h"
#include "trainer/report/comparison_table.h"
#include "trainer/report/summary_file.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_run.h"
#include "trainer/study/trained_cell.h"

namespace entune {
namespace {

using nlohmann::json;

struct Arguments {
  std::string run;
  std::string cell;
  std::vector<std::string> overrides;
  std::string split = "test";
  DataFile data;
  std::string output;
  WindowOptions windows;
};

// The cell's own side of the study's split: all cells together decide what is left out before it.
std::vector<Example> split_of_run(const Arguments& arguments, const StoredCell& cell) {
  std::vector<StudyCell> cells =
      expand_study(std::filesystem::path(arguments.run) / "recipe.yaml", {}, {.check_files = false});
  const std::string trained_on =
      load_recipe(cell.directory / "recipe.yaml", {}, {.check_files = false}).recipe.model.path;
  std::vector<CellSetup> setups;
  for (StudyCell& each : cells) {
    Recipe& recipe = each.loaded.recipe;
    recipe.model.adapter = "none";  // no text depends on it, and it may be gone since the run
    if (recipe.model.path == trained_on) recipe.model.path = cell.loaded.recipe.model.path;  // as --set says
    require_model_directory(recipe);
    setups.push_back(set_up_cell(recipe, recipe.parallel.tensor));
  }
  const std::vector<CellData> data = prepare_data(cells, setups, /*of_finished_run=*/true);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].name == cell.name) return data[i].side(arguments.split);
  }
  throw InputError(fmt::format("{}: expected recipe.yaml to have the cell {}, found none; it was changed since the run",
                               arguments.run, cell.name));
}

std::vector<Example> texts_to_answer(const Arguments& arguments, const StoredCell& cell) {
  if (arguments.data.path.empty()) {
    std::vector<Example> examples = split_of_run(arguments, cell);
    if (examples.empty()) {
      throw InputError(
          fmt::format("--split {}: expected texts to answer, found none on that side of the run's data; "
                      "name another side, or a data set with --data",
                      arguments.split));
    }
    return examples;
  }
  std::int64_t num_skipped = 0;
  std::vector<Example> examples = read_data_file(arguments.data, cell.loaded.recipe, num_skipped);
  if (num_skipped > 0) fmt::print(stderr, "{}: {} bad samples left out\n", arguments.data.path, num_skipped);
  return examples;
}

void run_evaluate(const Arguments& arguments, Communicator& world) {
  const StoredCell stored = find_stored_cell(arguments.run, arguments.cell, arguments.overrides);
  const std::vector<Example> examples = texts_to_answer(arguments, stored);  // before the long read of the weights
  TrainedCell cell = load_trained_cell(stored, world);
  const Recipe& recipe = cell.loaded.recipe;
  const EvaluationResult answered = evaluate(*cell.model, *cell.setup.task, examples, *cell.mesh,
                                             {.generation = recipe.generation.options,
                                              .budget = cell.budget,
                                              .windows = arguments.windows,
                                              .keep_predictions = false,
                                              .progress = "answering"});
  if (world.rank() != 0) return;
  const std::string split = arguments.data.path.empty() ? arguments.split : "test";
  json result{{"name", cell.name}, {"format", recipe.task.format}, {"seed", recipe.seed}};
  result["generate"] = {{"seconds", answered.seconds},
                        {"texts", examples.size()},
                        {"windows", answered.num_windows},
                        {"prompt_tokens", answered.stats.prompt_tokens},
                        {"generated_tokens", answered.stats.generated_tokens},
                        {"forward_passes", answered.stats.forward_passes}};
  result["scores"][split] = score_report(answered.documents, recipe.labels, score_report_options(recipe));
  const json summary{{"name", recipe.name}, {"cells", json::array({result})}, {"comparisons", json::array()}};
  fmt::print("{}", comparison_table(summary));
  if (!arguments.output.empty()) write_file_whole(arguments.output, result.dump(1) + "\n");
}

}  // namespace

void add_evaluate(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("evaluate", "Let a trained run answer a split, or another data set, and score it");
  command->add_option("run", arguments->run, "Run folder (runs/<name>)")->required()->type_name("DIR");
  command->add_option("--cell", arguments->cell,
                      "Cell of the run: name as in its report, or number from 0 (not needed where there is one)");
  command->add_option("--set", arguments->overrides, "Values that replace the run's recipe: parallel.tensor=2")
      ->type_name("KEY=VALUE");
  CLI::Option* split = command->add_option("--split", arguments->split, "train, validation or test of the run's data")
                           ->check(CLI::IsMember({"train", "validation", "test"}))
                           ->capture_default_str();
  CLI::Option* data = command
                          ->add_option("--data", arguments->data.path,
                                       "Another data set to answer instead (JSONL, Presidio JSON or CoNLL)")
                          ->type_name("FILE")
                          ->excludes(split);
  command
      ->add_option("--reader", arguments->data.reader, "How to read it: auto (by its suffix), jsonl, presidio or conll")
      ->check(CLI::IsMember({"auto", "jsonl", "presidio", "conll"}))
      ->needs(data)
      ->capture_default_str();
  command->add_option("--scheme", arguments->data.scheme, "Tags of a CoNLL file: iob1, iob2 or bioes")
      ->check(CLI::IsMember({"iob1", "iob2", "bioes"}))
      ->needs(data)
      ->capture_default_str();
  add_window_options(*command, arguments->windows);
  command->add_option("--output,-o", arguments->output, "JSON file for the scores")->type_name("FILE");
  command->callback(
      [&context, arguments] { context.run = [&context, arguments] { run_evaluate(*arguments, context.world); }; });
}

}  // namespace entune
