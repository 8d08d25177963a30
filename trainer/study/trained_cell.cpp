#include "trainer/study/trained_cell.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "trainer/study/run_folder.h"
#include "trainer/weights/hugging_face.h"

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

std::string choose_cell(const fs::path& run, const std::string& name) {
  const std::vector<std::string> names = answering_cells(run);
  if (name.empty() && names.size() == 1) return names.front();
  const std::string folder = RunFolder(run).cell(name).filename();
  if (!name.empty() && std::find(names.begin(), names.end(), folder) != names.end()) return folder;
  throw InputError(fmt::format("{}: expected --cell to name one of its finished cells ({}), found '{}'", run.string(),
                               fmt::join(names, ", "), name));
}

// Full fine-tuning left a model of its own, which was not made at random, whatever it began from.
void use_trained_weights(Recipe& recipe, const fs::path& directory) {
  const TrainingMethod method = recipe.training.method;
  if (method == TrainingMethod::none) return;
  const fs::path weights = directory / (method == TrainingMethod::full ? "model" : "adapter");
  if (!fs::is_directory(weights)) {
    throw InputError(fmt::format(
        "{}: expected the cell's weights there, found none; train with `export` other than none", weights.string()));
  }
  if (method == TrainingMethod::full) {
    recipe.model.path = weights;
    recipe.model.init = "pretrained";
    recipe.model.preset = "none";
  }
}

}  // namespace

std::unique_ptr<DeviceMesh> make_mesh(const Recipe& recipe, Communicator& world) {
  const auto tensor = static_cast<int>(recipe.parallel.tensor);
  return std::make_unique<DeviceMesh>(world, world.size() / tensor, tensor);
}

TrainedCell load_trained_cell(const fs::path& run, const std::string& name, const std::vector<std::string>& overrides,
                              Communicator& world) {
  const fs::path directory = run / "cells" / choose_cell(run, name);
  TrainedCell cell;
  cell.loaded = load_recipe(directory / "recipe.yaml", overrides, {.check_files = false});
  Recipe& recipe = cell.loaded.recipe;
  const json result = json::parse(std::ifstream(directory / "cell.json"));
  cell.name = result.at("name");
  use_trained_weights(recipe, directory);
  cell.setup = set_up_cell(recipe, world.size());
  cell.budget.slope = result.at("answer_budget_slope");
  cell.mesh = make_mesh(recipe, world);
  cell.model = load_model(recipe, cell.setup, *cell.mesh, world.rank() == 0);
  if (recipe.training.method == TrainingMethod::lora) load_peft_adapter(directory / "adapter", *cell.model);
  return cell;
}

}  // namespace entune
