#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "data/batches/packed_batch.h"
#include "distributed/device_mesh.h"
#include "trainer/loop/trainer.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_setup.h"
#include "trainer/study/run_metrics.h"
#include "trainer/telemetry/step_log.h"

namespace entune {

/// The loader's and the packing's options of a recipe.
BatchOptions batch_options(const Recipe& recipe);

/// The trainer's options of a recipe.
TrainerOptions trainer_options(const Recipe& recipe);

/// Adds a step's tokens to the counts of several.
void add_tokens(TokenCounts& counts, const StepRecord& step);

/// Trains `model` on the cell's train side as the recipe says, from its start or from a checkpoint, and leaves the best
/// weights in the model. Writes steps.jsonl and checkpoints/ into `directory`. Returns the cell's `train` subtree of
/// summary.json. Collective over the mesh. Throws EarlyEnd where it was asked to stop, with its state saved; where it
/// should resume and cannot; and where three steps in a row were not finite.
nlohmann::json train_cell(const StudyCell& cell, const CellSetup& setup, const CellData& data,
                          const AnswerBudget& budget, DecoderModel& model, DeviceMesh& mesh,
                          const std::filesystem::path& directory, RunMetrics& metrics);

}  // namespace entune
