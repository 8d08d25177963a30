#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "data/scoring/score_report.h"
#include "distributed/device_mesh.h"
#include "trainer/evaluate/evaluator.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_setup.h"
#include "trainer/study/run_folder.h"
#include "trainer/study/run_metrics.h"

namespace entune {

/// The override that tells a cell of free answers from the cell of constrained ones that its key `of` names.
inline constexpr const char* kDecodingOverride = "decoding";
/// What the name of such a cell has behind that of the other one.
inline constexpr std::string_view kFreeSuffix = ", free";

/// How a run of this recipe reports its scores.
ScoreReportOptions score_report_options(const Recipe& recipe);

/// What answering cost: summary.json's cells[].generate.
nlohmann::json answering_json(const EvaluationResult& answered, std::size_t num_texts);

/// Trains one cell (unless training.method is none), lets it answer its splits, scores them and writes its folder.
/// Collective over the mesh; rank 0 of the world writes. The adapter (or model) that the scores are of is the best one
/// on the validation side, where there was validation; it is exported before the splits are answered, and merged after.
/// With generation.constrain it answers twice: what free decoding gives is a cell of its own, in the folder `free`.
void run_cell(const StudyCell& cell, const CellSetup& setup, const CellData& data, DeviceMesh& mesh,
              const RunFolder& folder, RunMetrics& metrics);

/// The baseline of patterns over `data`'s splits, as a cell of its own named "patterns". One process does it.
void run_pattern_baseline(const Recipe& recipe, const CellData& data, const RunFolder& folder);

}  // namespace entune
