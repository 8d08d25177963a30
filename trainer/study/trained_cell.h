#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "distributed/device_mesh.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_setup.h"

namespace entune {

/// A cell of a finished run, ready to answer.
struct TrainedCell {
  std::string name;  ///< as in the report
  LoadedRecipe loaded;
  CellSetup setup;
  AnswerBudget budget;
  std::unique_ptr<DeviceMesh> mesh;
  std::unique_ptr<DecoderModel> model;
};

/// Loads the cell `name` of the run folder `run`, or its only one if `name` is empty: base weights, then the cell's
/// adapter or full model. Overrides apply to its recipe ("parallel.tensor=2"). Throws InputError listing the cells
/// there are. Collective over the world.
TrainedCell load_trained_cell(const std::filesystem::path& run, const std::string& name,
                              const std::vector<std::string>& overrides, Communicator& world);

/// The mesh that a recipe asks for on this world (data: auto resolved).
std::unique_ptr<DeviceMesh> make_mesh(const Recipe& recipe, Communicator& world);

}  // namespace entune
