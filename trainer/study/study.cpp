#include "trainer/study/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

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
#include "trainer/study/choose_device.h"
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
          {"ranks", ranks},
          {"created", utc_now()},
          {"bootstrap", recipe.evaluation.bootstrap},
          {"seed", recipe.seed}};
}

// A finished cell and where it lies.
struct FinishedCell {
  json result;
  fs::path folder;
};

std::vector<FinishedCell> finished_cells(const RunFolder& folder) {
  std::vector<FinishedCell> cells;
  for (const fs::path& path : folder.finished())
    cells.push_back({json::parse(std::ifstream(path / "cell.json")), path});
  return cells;
}

// Brings the cells into the order of `names`; those that are not named come last.
void order_cells(std::vector<FinishedCell>& cells, const std::vector<std::string>& names) {
  const auto place = [&](const FinishedCell& cell) {
    return std::find(names.begin(), names.end(), cell.result["name"].get<std::string>()) - names.begin();
  };
  std::stable_sort(cells.begin(), cells.end(),
                   [&](const FinishedCell& a, const FinishedCell& b) { return place(a) < place(b); });
}

void compare_and_write(json summary, const std::vector<FinishedCell>& cells, const fs::path& output) {
  std::vector<NamedDocuments> documents;
  summary["cells"] = json::array();
  for (const FinishedCell& cell : cells) {
    summary["cells"].push_back(cell.result);
    const json scores = cell.result.value("scores", json::object());
    for (const auto& [split, ignored] : scores.items()) {
      documents.push_back({cell.result["name"], variant_name(cell.result), split,
                           read_document_scores(cell.folder / "scores" / (split + ".jsonl"))});
    }
  }
  ComparisonOptions options;
  options.bootstrap_samples = summary.value("bootstrap", options.bootstrap_samples);
  options.seed = summary.value("seed", options.seed);
  for (const std::string& split : splits_of(summary)) {
    if (options.held_out.empty()) options.held_out = held_out_labels(summary, split);
  }
  summary["comparisons"] = compare_cells(documents, options);
  const RunFolder target(output);
  fs::create_directories(output);
  write_summary(target.summary(), summary);
  write_html_report(target.report(), summary);
  fmt::print("{}\nreport: {}\nsummary: {}\n", comparison_table(summary), target.report().string(),
             target.summary().string());
}

std::vector<std::string> names_of(const std::vector<StudyCell>& cells) {
  std::vector<std::string> names;
  for (const StudyCell& cell : cells) names.push_back(cell.name);
  return names;
}

// Indices of the cells to run. Throws InputError for a cell that is not there.
std::vector<std::size_t> chosen_cells(const StudyOptions& options, const std::vector<StudyCell>& cells) {
  if (options.only_cell) return {find_cell(cells, *options.only_cell)};
  std::vector<std::size_t> all(cells.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

void say_what_is_left_out(const CellData& data) {
  for (const auto& [reason, count] : data.left_out) fmt::print("left out of all cells: {} texts: {}\n", count, reason);
}

// Cells are compared text by text, so what they answer must be the same. Said before any weight is loaded.
void require_comparable(const std::vector<StudyCell>& cells, const std::vector<CellData>& data) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Recipe& first = cells.front().loaded.recipe;
    const Recipe& other = cells[i].loaded.recipe;
    if (cells[i].name == kPatterns)
      throw InputError("name: expected another name than patterns, which is the baseline's");
    bool same = first.labels == other.labels && first.evaluation.splits == other.evaluation.splits;
    for (const std::string& split : first.evaluation.splits)
      same = same && data.front().side(split) == data[i].side(split);
    if (!same) {
      throw InputError(
          fmt::format("study: expected cells that answer the same texts with the same labels, found that {} differs "
                      "from {}; vary keys that leave "
                      "`labels`, `evaluation.splits` and the texts of those splits alone (give them a file of their "
                      "own: data.test)",
                      cells[i].name, cells.front().name));
    }
  }
}

}  // namespace

void run_study(const StudyOptions& options, Communicator& world) {
  const bool first_rank = world.rank() == 0;
  const LoadedRecipe base = load_recipe(options.recipe, options.overrides);
  const std::vector<StudyCell> cells = expand_study(options.recipe, options.overrides);
  std::vector<CellSetup> setups;
  for (const StudyCell& cell : cells) {
    const at::Device device = choose_device(cell.loaded.recipe, world);
    setups.push_back(set_up_cell(cell.loaded.recipe, world.size(), device));
  }
  const std::vector<CellData> data = prepare_data(cells, setups);
  require_comparable(cells, data);
  const std::vector<std::size_t> chosen = chosen_cells(options, cells);
  const bool with_patterns = base.recipe.evaluation.baseline == kPatterns && chosen.front() == 0;

  const RunFolder folder(base.recipe.output);
  if (first_rank) {
    std::vector<std::string> to_run;
    for (const std::size_t i : chosen) to_run.push_back(cells[i].name);
    if (with_patterns) to_run.push_back(kPatterns);
    folder.prepare(to_run, options.only_cell.has_value(), options.overwrite);
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

  std::vector<FinishedCell> finished = finished_cells(folder);
  order_cells(finished, names_of(cells));
  json summary = summary_head(base, world.size());
  summary["corpus"] = finished.front().result["corpus"];
  compare_and_write(std::move(summary), finished, folder.root());
}

void write_report(const std::vector<fs::path>& runs, const fs::path& output) {
  std::vector<json> summaries;
  std::map<std::string, fs::path> folder_of;
  for (const fs::path& run : runs) {
    json summary = read_summary(RunFolder(run).summary());
    std::vector<std::string> names;
    for (const json& cell : summary["cells"]) names.push_back(cell["name"]);
    std::vector<FinishedCell> finished = finished_cells(RunFolder(run));
    order_cells(finished, names);
    summary["cells"] = json::array();
    for (FinishedCell& cell : finished) {
      std::string name = cell.result["name"];
      if (folder_of.count(name)) {
        if (name == kPatterns) continue;  // the same for the same texts
        name = summary["name"].get<std::string>() + ": " + name;
        if (folder_of.count(name))
          throw InputError(
              fmt::format("{}: its cell {} was given before; name each run folder once", run.string(), name));
        cell.result["name"] = name;
      }
      folder_of.emplace(name, cell.folder);
      summary["cells"].push_back(cell.result);
    }
    summaries.push_back(std::move(summary));
  }
  json merged = merge_summaries(summaries);
  std::vector<FinishedCell> cells;
  for (const json& cell : merged["cells"]) cells.push_back({cell, folder_of.at(cell["name"].get<std::string>())});
  compare_and_write(std::move(merged), cells, output);
}

}  // namespace entune
