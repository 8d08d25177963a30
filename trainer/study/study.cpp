#include "trainer/study/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "data/scoring/document_score.h"
#include "trainer/report/cell_comparison.h"
#include "trainer/report/comparison_table.h"
#include "trainer/report/html_report.h"
#include "trainer/report/summary_file.h"
#include "trainer/report/summary_numbers.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_run.h"
#include "trainer/study/cell_setup.h"
#include "trainer/study/run_folder.h"
#include "trainer/study/trained_cell.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kPatterns = "patterns";

json labels_json(const LabelList& labels) {
  json list = json::array();
  for (const Label& label : labels) list.push_back({{"name", label.name}, {"description", label.description}});
  return list;
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

// What all cells have in common: the head of summary.json.
json summary_head(const LoadedRecipe& loaded, std::int64_t ranks) {
  const Recipe& recipe = loaded.recipe;
  return {{"entune", 1},
          {"name", recipe.name},
          {"recipe", loaded.resolved_yaml},
          {"labels", labels_json(recipe.labels)},
          {"model", recipe.model.path},
          {"ranks", ranks},
          {"created", utc_now()},
          {"bootstrap", recipe.evaluation.bootstrap},
          {"seed", recipe.seed}};
}

std::vector<NamedDocuments> documents_of(const json& summary, const std::vector<RunFolder>& folders) {
  std::vector<NamedDocuments> all;
  for (std::size_t i = 0; i < summary["cells"].size(); ++i) {
    const json& cell = summary["cells"][i];
    const std::string name = cell["name"];
    const json scores = cell.value("scores", json::object());
    for (const auto& [split, ignored] : scores.items()) {
      all.push_back({name, variant_name(cell), split,
                     read_document_scores(folders[i].cell(name) / "scores" / (split + ".jsonl"))});
    }
  }
  return all;
}

// `folders`: where each cell of the summary lies.
void compare_and_write(json summary, const std::vector<RunFolder>& folders, const fs::path& output) {
  ComparisonOptions options;
  options.bootstrap_samples = summary.value("bootstrap", options.bootstrap_samples);
  options.seed = summary.value("seed", options.seed);
  summary["comparisons"] = compare_cells(documents_of(summary, folders), options);
  const RunFolder target(output);
  fs::create_directories(output);
  write_summary(target.summary(), summary);
  write_html_report(target.report(), summary);
  fmt::print("{}\nreport: {}\nsummary: {}\n", comparison_table(summary), target.report().string(),
             target.summary().string());
}

// The finished cells of a run folder: those in `names` in that order, then the others that are there.
json finished_cells(const RunFolder& folder, std::vector<std::string> names) {
  std::map<std::string, json> found;
  for (const auto& entry : fs::directory_iterator(folder.root() / "cells")) {
    if (!fs::exists(entry.path() / "cell.json")) continue;
    json cell = json::parse(std::ifstream(entry.path() / "cell.json"));
    const std::string name = cell["name"];
    found.emplace(name, std::move(cell));
  }
  for (const auto& [name, cell] : found) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  json cells = json::array();
  for (const std::string& name : names) {
    if (found.count(name)) cells.push_back(found.at(name));
  }
  return cells;
}

std::vector<std::string> names_of(const std::vector<StudyCell>& cells) {
  std::vector<std::string> names;
  for (const StudyCell& cell : cells) names.push_back(cell.name);
  return names;
}

// Indices of the cells to run. Throws InputError for a cell that is not there.
std::vector<std::size_t> chosen_cells(const StudyOptions& options, std::size_t num_cells) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < num_cells; ++i) {
    if (!options.only_cell || *options.only_cell == static_cast<std::int64_t>(i)) chosen.push_back(i);
  }
  if (chosen.empty())
    throw InputError(fmt::format("--cell: expected 0 to {}, found {}", num_cells - 1, *options.only_cell));
  return chosen;
}

void say_what_is_left_out(const CellData& data) {
  for (const auto& [reason, count] : data.left_out) fmt::print("left out of all cells: {} texts: {}\n", count, reason);
}

}  // namespace

void run_study(const StudyOptions& options, Communicator& world) {
  const bool first_rank = world.rank() == 0;
  const LoadedRecipe base = load_recipe(options.recipe, options.overrides);
  const std::vector<StudyCell> cells = expand_study(options.recipe, options.overrides);
  std::vector<CellSetup> setups;
  for (const StudyCell& cell : cells) setups.push_back(set_up_cell(cell.loaded.recipe, world.size()));
  const std::vector<CellData> data = prepare_data(cells, setups);
  const std::vector<std::size_t> chosen = chosen_cells(options, cells.size());
  const bool with_patterns = base.recipe.evaluation.baseline == kPatterns && chosen.front() == 0;

  const RunFolder folder(base.recipe.output);
  if (first_rank) {
    std::vector<std::string> to_run;
    for (const std::size_t i : chosen) to_run.push_back(cells[i].name);
    folder.prepare(to_run, options.overwrite);
    write_file_whole(folder.root() / "recipe.yaml", base.resolved_yaml);
    say_what_is_left_out(data.front());
  }
  world.barrier();
  for (const std::size_t i : chosen) {
    if (first_rank) fmt::print("cell {} of {}: {}\n", i + 1, cells.size(), cells[i].name);
    const std::unique_ptr<DeviceMesh> mesh = make_mesh(cells[i].loaded.recipe, world);
    run_cell(cells[i], setups[i], data[i], *mesh, folder);
  }
  if (!first_rank) return;
  if (with_patterns) run_pattern_baseline(base.recipe, data.front(), folder);

  std::vector<std::string> names = names_of(cells);
  names.push_back(kPatterns);
  json summary = summary_head(base, world.size());
  summary["cells"] = finished_cells(folder, names);
  summary["corpus"] = summary["cells"].front()["corpus"];
  compare_and_write(std::move(summary), std::vector<RunFolder>(summary["cells"].size(), folder), folder.root());
}

void write_report(const std::vector<fs::path>& runs, const fs::path& output) {
  std::vector<json> summaries;
  std::map<std::string, RunFolder> folder_of;
  for (const fs::path& run : runs) {
    json summary = read_summary(RunFolder(run).summary());
    std::vector<std::string> names;
    for (const json& cell : summary["cells"]) names.push_back(cell["name"]);
    summary["cells"] = finished_cells(RunFolder(run), names);
    for (const json& cell : summary["cells"])
      folder_of.insert_or_assign(cell["name"].get<std::string>(), RunFolder(run));
    summaries.push_back(std::move(summary));
  }
  json merged = merge_summaries(summaries);
  std::vector<RunFolder> folders;
  for (const json& cell : merged["cells"]) folders.push_back(folder_of.at(cell["name"].get<std::string>()));
  compare_and_write(std::move(merged), folders, output);
}

}  // namespace entune
