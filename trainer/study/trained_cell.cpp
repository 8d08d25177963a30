#include "trainer/study/trained_cell.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "distributed/cuda_devices.h"
#include "trainer/study/cell_run.h"
#include "trainer/study/choose_device.h"
#include "trainer/study/run_folder.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

// Names of the cells of a run that can answer (the baseline of patterns has no recipe).
std::vector<std::string> answering_cells(const fs::path& run) {
  std::vector<std::string> names;
  if (!fs::is_directory(run / "cells"))
    throw InputError(fmt::format(
        "{}: expected a run folder with cells/, found none; give the folder that training wrote (runs/<name>)",
        run.string()));
  for (const auto& entry : fs::directory_iterator(run / "cells")) {
    if (fs::exists(entry.path() / "recipe.yaml") && fs::exists(entry.path() / "cell.json"))
      names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string choose_cell(const fs::path& run, std::string name) {
  if (name.ends_with(kFreeSuffix)) name.resize(name.size() - kFreeSuffix.size());  // the same model
  const std::vector<std::string> names = answering_cells(run);
  if (name.empty() && names.size() == 1) return names.front();
  const auto folder_of = [&](const std::string& cell) { return RunFolder(run).cell(cell).filename().string(); };
  const auto is_there = [&](const std::string& folder) {
    return std::find(names.begin(), names.end(), folder) != names.end();
  };
  if (!name.empty() && is_there(folder_of(name))) return folder_of(name);
  if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos && fs::exists(run / "recipe.yaml")) {
    const std::vector<StudyCell> cells = expand_study(run / "recipe.yaml", {}, {.check_files = false});
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (name == std::to_string(i) && is_there(folder_of(cells[i].name))) return folder_of(cells[i].name);
    }
  }
  throw InputError(
      fmt::format("{}: expected --cell to name one of its finished cells ({}) or to give its number in the "
                  "run's recipe, from 0; found '{}'",
                  run.string(), fmt::join(names, ", "), name));
}

// Full fine-tuning left a model of its own, which was not made at random, whatever it began from. A merged export
// changes nothing: the scores of the run are those of the adapter on its base.
void use_trained_weights(Recipe& recipe, const fs::path& directory) {
  switch (recipe.training.method) {
    case TrainingMethod::none:
      return;
    case TrainingMethod::lora:
      recipe.model.adapter = trained_weights(recipe, directory);
      return;
    case TrainingMethod::full:
      recipe.model.path = trained_weights(recipe, directory);
      recipe.model.init = "pretrained";
      recipe.model.preset = "none";
      return;
  }
}

}  // namespace

std::unique_ptr<DeviceMesh> make_mesh(const Recipe& recipe, Communicator& world, CollectiveTime* time,
                                      CollectiveWatch* watch) {
  use_deterministic_algorithms(recipe.parallel.deterministic);
  const auto tensor = static_cast<int>(recipe.parallel.tensor);
  return std::make_unique<DeviceMesh>(world, world.size() / tensor, tensor, choose_device(recipe, world), time, watch);
}

fs::path trained_weights(const Recipe& recipe, const fs::path& directory) {
  const fs::path weights = directory / (recipe.training.method == TrainingMethod::full ? "model" : "adapter");
  if (!fs::is_directory(weights)) {
    throw InputError(fmt::format(
        "{}: expected the cell's weights there, found none; train with `export` other than none", weights.string()));
  }
  return weights;
}

StoredCell find_stored_cell(const fs::path& run, const std::string& name, const std::vector<std::string>& overrides) {
  StoredCell cell;
  cell.directory = run / "cells" / choose_cell(run, name);
  cell.loaded = load_recipe(cell.directory / "recipe.yaml", overrides, {.check_files = false});
  const json result = json::parse(std::ifstream(cell.directory / "cell.json"));
  cell.name = result.at("name");
  cell.budget.slope = result.at("answer_budget_slope");
  cell.budget.longest_text = result.value("longest_text_tokens", std::int64_t{0});  // older runs did not write these
  cell.budget.usual_text = result.value("usual_text_tokens", std::int64_t{0});
  return cell;
}

void require_model_directory(const Recipe& recipe) {
  if (fs::is_directory(recipe.model.path)) return;
  throw InputError(fmt::format(
      "model.path: expected a Hugging Face directory, found none at '{}' (relative paths start at the current "
      "directory); start from where the training ran, or give --set model.path=DIR",
      recipe.model.path));
}

TrainedCell load_trained_cell(const StoredCell& stored, Communicator& world) {
  TrainedCell cell;
  cell.name = stored.name;
  cell.loaded = stored.loaded;
  cell.budget = stored.budget;
  Recipe& recipe = cell.loaded.recipe;
  use_trained_weights(recipe, stored.directory);
  require_model_directory(recipe);
  cell.setup = set_up_cell(recipe, world.size());
  cell.mesh = make_mesh(recipe, world);
  cell.model = load_model(recipe, cell.setup, *cell.mesh, world.rank() == 0);
  return cell;
}

TrainedCell load_trained_cell(const fs::path& run, const std::string& name, const std::vector<std::string>& overrides,
                              Communicator& world) {
  return load_trained_cell(find_stored_cell(run, name, overrides), world);
}

}  // namespace entune
