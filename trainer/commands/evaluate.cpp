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
  bool compare_decoding = false;
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

struct Decoding {
  std::string name;
  GenerationOptions options;
};

// The recipe's own decoding, or all four of them.
std::vector<Decoding> decodings(const Arguments& arguments, const TrainedCell& cell) {
  const GenerationOptions& own = cell.loaded.recipe.generation.options;
  if (!arguments.compare_decoding) return {{cell.name, own}};
  std::vector<Decoding> all{{"free", own}, {"constrained", own}, {"drafted", own}, {"constrained and drafted", own}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].options.constrain = i % 2 == 1;
    all[i].options.draft = i >= 2;
  }
  return all;
}

// Texts with another answer than without drafts: none in exact arithmetic.
std::size_t num_different(const EvaluationResult& a, const EvaluationResult& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.predictions.size(); ++i)
    count += a.predictions[i].answer.answers != b.predictions[i].answer.answers;
  return count;
}

void run_evaluate(const Arguments& arguments, Communicator& world) {
  const StoredCell stored = find_stored_cell(arguments.run, arguments.cell, arguments.overrides);
  const std::vector<Example> examples = texts_to_answer(arguments, stored);  // before the long read of the weights
  TrainedCell cell = load_trained_cell(stored, world);
  const Recipe& recipe = cell.loaded.recipe;
  const std::string split = arguments.data.path.empty() ? arguments.split : "test";
  json results = json::array();
  std::vector<EvaluationResult> answered;
  for (const Decoding& decoding : decodings(arguments, cell)) {
    answered.push_back(
        evaluate(*cell.model, *cell.setup.task, examples, *cell.mesh,
                 {.generation = decoding.options,
                  .budget = cell.budget,
                  .windows = arguments.windows,
                  .keep_predictions = arguments.compare_decoding,
                  .progress = arguments.compare_decoding ? "answering, " + decoding.name : "answering"}));
    json result{{"name", decoding.name}, {"format", recipe.task.format}, {"seed", recipe.seed}};
    if (arguments.compare_decoding) result["overrides"] = {{kDecodingOverride, decoding.name}};
    result["generate"] = answering_json(answered.back(), examples.size());
    if (world.rank() == 0)
      result["scores"][split] = score_report(answered.back().documents, recipe.labels, score_report_options(recipe));
    results.push_back(std::move(result));
  }
  if (world.rank() != 0) return;
  const json summary{{"name", recipe.name}, {"cells", results}, {"comparisons", json::array()}};
  fmt::print("{}\n{}", comparison_table(summary), answering_table(summary));
  if (arguments.compare_decoding) {
    fmt::print("Answers that drafts changed: {} of {} free, {} of {} constrained\n",
               num_different(answered[0], answered[2]), examples.size(), num_different(answered[1], answered[3]),
               examples.size());
  }
  if (arguments.output.empty()) return;
  write_file_whole(arguments.output, (arguments.compare_decoding ? results : results.front()).dump(1) + "\n");
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
  command->add_flag("--compare-decoding", arguments->compare_decoding,
                    "Answer four times: freely, constrained to the format, with drafts from the text, and with both");
  command->add_option("--output,-o", arguments->output, "JSON file for the scores")->type_name("FILE");
  command->callback(
      [&context, arguments] { context.run = [&context, arguments] { run_evaluate(*arguments, context.world); }; });
}

}  // namespace entune
