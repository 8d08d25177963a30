#include "trainer/study/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "data/deidentify/safe_harbor.h"
#include "data/input_error.h"
#include "data/scoring/document_score.h"
#include "trainer/loop/early_end.h"
#include "trainer/loop/stop_signal.h"
#include "trainer/loop/watchdog.h"
#include "trainer/report/cell_comparison.h"
#include "trainer/report/comparison_table.h"
#include "trainer/report/example_section.h"
#include "trainer/report/html_report.h"
#include "trainer/report/summary_file.h"
#include "trainer/report/summary_numbers.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_run.h"
#include "trainer/study/cell_setup.h"
#include "trainer/study/layout_plan.h"
#include "trainer/study/resume_identity.h"
#include "trainer/study/run_folder.h"
#include "trainer/study/run_metrics.h"
#include "trainer/study/trained_cell.h"
#include "trainer/telemetry/pulse.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/model_files.h"

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

LabelList labels_of(const json& summary) {
  LabelList labels;
  for (const json& label : summary["labels"])
    labels.push_back({string_at(label, {"name"}), string_at(label, {"description"})});
  return labels;
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
  // Of cells that are merged: what names their variant in their own run, and setting_of().
  std::string variant = {};
  std::string setting = {};
};

// A cell whose answers were constrained has those of free decoding beside it, as a cell of their own.
std::vector<FinishedCell> finished_cells(const RunFolder& folder) {
  std::vector<FinishedCell> cells;
  for (const fs::path& cell : folder.finished()) {
    for (const fs::path& path : {cell, cell / "free"}) {
      if (path != cell && !fs::exists(path / "cell.json")) continue;
      json result = json::parse(std::ifstream(path / "cell.json"), nullptr, /*allow_exceptions=*/false);
      if (!result.is_object() || string_at(result, {"name"}).empty()) {
        throw InputError(fmt::format("{}: expected a cell's results, found a damaged file; run the cell again",
                                     (path / "cell.json").string()));
      }
      cells.push_back({std::move(result), path});
    }
  }
  return cells;
}

// Brings the cells into the order of `names`; those that are not named come last.
void order_cells(std::vector<FinishedCell>& cells, const std::vector<std::string>& names) {
  const auto place = [&](const FinishedCell& cell) {
    const std::string name = cell.result.value("of", cell.result["name"].get<std::string>());
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  std::stable_sort(cells.begin(), cells.end(),
                   [&](const FinishedCell& a, const FinishedCell& b) { return place(a) < place(b); });
}

// The variant of the constrained answers that stand beside this cell's free ones, or "".
std::string free_of(json cell) {
  if (!cell.contains("of")) return "";
  cell["overrides"].erase(kDecodingOverride);
  return variant_name(cell);
}

void compare_and_write(json summary, const std::vector<FinishedCell>& cells, const fs::path& output,
                       std::int64_t num_examples = 0) {
  std::vector<NamedDocuments> documents;
  summary["cells"] = json::array();
  for (const FinishedCell& cell : cells) {
    summary["cells"].push_back(cell.result);
    const json scores = cell.result.value("scores", json::object());
    for (const auto& [split, ignored] : scores.items()) {
      documents.push_back({cell.result["name"], variant_name(cell.result), split,
                           read_document_scores(cell.folder / "scores" / (split + ".jsonl")), free_of(cell.result)});
    }
  }
  ComparisonOptions options;
  options.bootstrap_samples = summary.value("bootstrap", options.bootstrap_samples);
  options.seed = summary.value("seed", options.seed);
  for (const std::string& split : splits_of(summary)) {
    if (options.held_out.empty()) options.held_out = held_out_labels(summary, split);
  }
  summary["coverage"] = to_json(safe_harbor_coverage(labels_of(summary)));
  summary["coverage"]["labels_kept_out_of_training"] = options.held_out;
  summary["comparisons"] = compare_cells(documents, options);
  std::string examples;
  if (num_examples > 0) {
    std::vector<CellAnswers> answers;
    for (const FinishedCell& cell : cells) answers.push_back({cell.result["name"], cell.folder / "predictions"});
    examples = example_section(answers, num_examples);
  }
  const RunFolder target(output);
  fs::create_directories(output);
  write_summary(target.summary(), summary);
  write_html_report(target.report(), summary, examples);
  fmt::print("{}\nreport: {}{}\nsummary: {}\n", comparison_table(summary), target.report().string(),
             examples.empty() ? "" : " (holds texts of the data set)", target.summary().string());
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

// Throws InputError for --overwrite where the files are needed, and for one checkpoint and several cells.
RunFolder::Earlier earlier_files(const StudyOptions& options, const Recipe& recipe, std::size_t num_cells) {
  const std::string& from = recipe.checkpoint.resume;
  if (from != "none" && from != "auto" && num_cells > 1) {
    throw InputError(
        fmt::format("checkpoint.resume: expected auto or none for {} cells, found the path {}; give --cell, or auto",
                    num_cells, from));
  }
  const fs::path relative = fs::weakly_canonical(from).lexically_relative(fs::weakly_canonical(recipe.output));
  const bool goes_on = from == "auto" || (from != "none" && !relative.empty() && *relative.begin() != "..");
  if (goes_on && options.overwrite) {
    throw InputError(fmt::format("{}: expected either --overwrite or to resume from this folder, found both; drop one",
                                 recipe.output));
  }
  if (goes_on) return RunFolder::Earlier::resumed;
  return options.overwrite ? RunFolder::Earlier::removed : RunFolder::Earlier::refused;
}

WatchdogOptions watchdog_options(const Recipe& recipe, const StudyOptions& options) {
  const RunFolder folder(recipe.output);
  return {.collective_limit = std::chrono::seconds(recipe.watchdog.collective_seconds),
          .work_limit = std::chrono::seconds(recipe.watchdog.step_seconds),
          .folder = folder.root(),
          .job = options.only_cell ? folder.cell("cell-" + *options.only_cell + "-").filename().string() : ""};
}

// A signal that came too late for a cell's training takes effect before the next cell.
void leave_if_asked(Communicator& world, const RunFolder& folder, RunMetrics& metrics) {
  if (over_ranks(world, stop_requested() ? 1.0 : 0.0, ReduceOp::max) == 0.0) return;
  metrics.record_stop();
  throw EarlyEnd(EarlyEnd::saved,
                 fmt::format("asked to stop: the cells so far are finished in {}; the same command with "
                             "--resume auto goes on with the next",
                             folder.root().string()));
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

PreparedStudy set_up_study(std::vector<StudyCell> cells, std::int64_t world_size) {
  PreparedStudy study;
  study.cells = std::move(cells);
  for (const StudyCell& cell : study.cells) study.setups.push_back(set_up_cell(cell.loaded.recipe, world_size));
  study.data = prepare_data(study.cells, study.setups);
  return study;
}

void print_left_out(const std::vector<CellData>& data) {
  for (const auto& [reason, count] : data.front().left_out)
    fmt::print("left out of all cells: {} texts: {}\n", count, reason);
  for (const std::string& note : split_notes(data)) fmt::print("{}\n", note);
}

PreparedStudy prepare_study(const fs::path& recipe, const std::vector<std::string>& overrides,
                            std::int64_t world_size) {
  PreparedStudy study = set_up_study(expand_study(recipe, overrides), world_size);
  require_comparable(study.cells, study.data);
  std::set<std::string> models, adapters;
  for (const StudyCell& cell : study.cells) {
    const Recipe& of_cell = cell.loaded.recipe;
    if (of_cell.model.init != "random") models.insert(of_cell.model.path);
    if (of_cell.model.adapter != "none") adapters.insert(of_cell.model.adapter);
    RunFolder(of_cell.output).require_folder();
  }
  for (const std::string& adapter : adapters) check_peft_adapter(adapter);
  for (const std::string& model : models) const ModelFiles headers(model);
  return study;
}

void run_study(const StudyOptions& options, Communicator& all_ranks) {
  watch_stop_signal();
  const auto begin = RunMetrics::Clock::now();
  const bool first_rank = all_ranks.rank() == 0;
  const LoadedRecipe base = load_recipe(options.recipe, options.overrides);
  std::unique_ptr<Watchdog> of_this_run;
  std::unique_ptr<Watchdog>& watchdog = options.watchdog != nullptr ? *options.watchdog : of_this_run;
  watchdog = std::make_unique<Watchdog>(watchdog_options(base.recipe, options), all_ranks);
  Communicator& world = watchdog->world();
  const auto [cells, setups, data] = prepare_study(options.recipe, options.overrides, world.size());
  const std::vector<std::size_t> chosen = chosen_cells(options, cells);
  const bool with_patterns = base.recipe.evaluation.baseline == kPatterns && chosen.front() == 0;

  const RunFolder folder(base.recipe.output);
  std::string is_left;  // for each cell '1' if it is to run; as rank 0 sees the folder
  if (first_rank) {
    const RunFolder::Earlier earlier = earlier_files(options, base.recipe, chosen.size());
    is_left.assign(cells.size(), '0');
    std::vector<std::string> to_run;
    for (const std::size_t i : chosen) {
      if (earlier == RunFolder::Earlier::resumed && folder.is_finished(cells[i].name)) {
        require_same_recipe(cells[i].loaded, folder.cell(cells[i].name));
        continue;
      }
      is_left[i] = '1';
      to_run.push_back(cells[i].name);
    }
    if (with_patterns) to_run.push_back(kPatterns);
    folder.prepare(to_run, options.only_cell.has_value(), earlier);
    write_file_whole(folder.root() / "recipe.yaml", base.resolved_yaml);
    print_left_out(data);
  }
  is_left = broadcast_bytes(world, is_left, 0);
  const fs::path metrics_folder = options.only_cell ? folder.cell(cells[chosen.front()].name) : folder.root();
  Recipe labelled = base.recipe;  // cells that run beside each other are runs of their own to Prometheus
  if (options.only_cell) labelled.name += "/" + cells[chosen.front()].name;
  RunMetrics metrics(labelled, world, metrics_folder / "metrics" / fmt::format("rank-{}.prom", world.rank()), begin);
  for (const std::size_t i : chosen) {
    if (first_rank) {
      fmt::print("cell {} of {}: {}{}\n", i + 1, cells.size(), cells[i].name,
                 is_left[i] == '1' ? "" : ": finished before");
    }
    if (is_left[i] == '0') continue;
    const std::unique_ptr<DeviceMesh> mesh =
        make_mesh(cells[i].loaded.recipe, world, metrics.collectives(), watchdog->watch());
    require_fit(cells[i], setups[i], data[i].train, mesh->device(), world);
    run_cell(cells[i], setups[i], data[i], *mesh, folder, metrics);
    is_left[i] = '0';
    if (is_left.find('1') != std::string::npos) leave_if_asked(world, folder, metrics);
  }
  enter_phase(Phase::report);
  if (!first_rank) {
    world.barrier();  // its metrics are there until the run has ended
    return metrics.record_success();
  }
  if (with_patterns) run_pattern_baseline(base.recipe, data.front(), folder);

  std::vector<FinishedCell> finished = finished_cells(folder);
  order_cells(finished, names_of(cells));
  json summary = summary_head(base, world.size());
  summary["corpus"] = finished.front().result["corpus"];
  compare_and_write(std::move(summary), finished, folder.root());
  world.barrier();
  metrics.record_success();
}

namespace {

// The recipe that a cell ran by, without what may differ between seeds of one setting.
std::string setting_of(const fs::path& cell) {
  std::ifstream file(cell / "recipe.yaml");
  std::string setting;
  for (std::string line; std::getline(file, line);) {
    const bool may_differ = line.starts_with("name:") || line.starts_with("output:") || line.starts_with("seed:") ||
                            line.starts_with("  resume:");
    if (!may_differ) setting += line + "\n";
  }
  return setting;
}

bool has_name(const std::vector<FinishedCell>& cells, const std::string& name) {
  return std::any_of(cells.begin(), cells.end(),
                     [&](const FinishedCell& cell) { return string_at(cell.result, {"name"}) == name; });
}

// Makes `cell` of the run `run` fit beside `others`, whose last one it belongs to if it holds free answers: a name of
// its own, and, where its recipe says otherwise than those of cells with the same overrides, its folder as one more
// override, so that they do not pass for seeds of one setting.
void fit_beside(FinishedCell& cell, const std::vector<FinishedCell>& others, const std::string& run) {
  cell.variant = variant_name(cell.result);
  cell.setting = setting_of(cell.folder);
  const bool is_free_row = cell.result.contains("of");
  json place;
  if (is_free_row) place = at_path(others.back().result, {"overrides", "run"});
  for (const FinishedCell& other : others) {
    if (is_free_row || other.variant != cell.variant) continue;
    if (cell.setting != other.setting) {
      if (place.is_null()) place = cell.folder.parent_path().parent_path().string();
      continue;
    }
    if (number_at(cell.result, {"seed"}) == number_at(other.result, {"seed"})) {
      throw InputError(
          fmt::format("{}: expected results that are not given twice, found those of {}: one setting and "
                      "seed; name one of the two folders",
                      cell.folder.string(), other.folder.string()));
    }
    place = at_path(other.result, {"overrides", "run"});
    break;
  }
  if (place.is_string()) cell.result["overrides"]["run"] = place;
  const std::string name = string_at(cell.result, {"name"});
  std::string unique = name;
  if (has_name(others, unique)) unique = fmt::format("{}: {}", run, name);
  for (int i = 2; has_name(others, unique); ++i) unique = fmt::format("{} ({}): {}", run, i, name);
  cell.result["name"] = unique;
  if (is_free_row) cell.result["of"] = string_at(others.back().result, {"name"});
}

}  // namespace

void write_report(const std::vector<fs::path>& runs, const fs::path& output, std::int64_t examples) {
  std::vector<json> summaries;
  std::vector<FinishedCell> all;
  for (const fs::path& run : runs) {
    json summary = read_summary(RunFolder(run).summary());
    std::vector<std::string> names;
    for (const json& cell : summary["cells"]) names.push_back(cell["name"]);
    std::vector<FinishedCell> finished = finished_cells(RunFolder(run));
    if (finished.empty()) {
      throw InputError(
          fmt::format("{}: expected a run with its cells, found none (a report alone?); name the run folders "
                      "that it was made from",
                      run.string()));
    }
    order_cells(finished, names);
    summary["cells"] = json::array();
    for (FinishedCell& cell : finished) {
      const bool is_baseline = string_at(cell.result, {"name"}) == kPatterns;
      if (is_baseline && has_name(all, kPatterns)) continue;  // the same for the same texts
      if (!is_baseline) fit_beside(cell, all, string_at(summary, {"name"}));
      summary["cells"].push_back(cell.result);
      all.push_back(std::move(cell));
    }
    summaries.push_back(std::move(summary));
  }
  compare_and_write(merge_summaries(summaries), all, output, examples);
}

}  // namespace entune
