#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "distributed/device_mesh.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_setup.h"

namespace entune {

/// A cell of a finished run, before anything of its model is read.
struct StoredCell {
  std::string name;                 ///< as in the report
  std::filesystem::path directory;  ///< of its files (RunFolder)
  LoadedRecipe loaded;
  AnswerBudget budget;
};

/// The cell `name` (or number, in the order of the run's recipe from 0) of the run folder `run`, or its only one if
/// `name` is empty. Overrides apply to its recipe ("parallel.tensor=2"). Throws InputError listing the cells there are.
StoredCell find_stored_cell(const std::filesystem::path& run, const std::string& name,
                            const std::vector<std::string>& overrides);

/// Where training left what it trained: adapter/ or model/ of the cell's directory. Throws InputError if it is not
/// there.
std::filesystem::path trained_weights(const Recipe& recipe, const std::filesystem::path& directory);

/// Throws InputError that says how to name another directory if there is none at the recipe's model.path.
void require_model_directory(const Recipe& recipe);

/// A cell of a finished run, ready to answer.
struct TrainedCell {
  std::string name;  ///< as in the report
  LoadedRecipe loaded;
  CellSetup setup;
  AnswerBudget budget;
  std::unique_ptr<DeviceMesh> mesh;
  std::unique_ptr<DecoderModel> model;
};

/// Loads a finished cell: base weights and the cell's adapter, or its full model. Collective over the world.
TrainedCell load_trained_cell(const StoredCell& stored, Communicator& world);
/// The same for find_stored_cell(run, name, overrides).
TrainedCell load_trained_cell(const std::filesystem::path& run, const std::string& name,
                              const std::vector<std::string>& overrides, Communicator& world);

/// The mesh that a recipe asks for on this world, on the devices that parallel.transport finds (choose_device.h).
/// Collective.
std::unique_ptr<DeviceMesh> make_mesh(const Recipe& recipe, Communicator& world, CollectiveTime* time = nullptr,
                                      CollectiveWatch* watch = nullptr);

}  // namespace entune
