#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distributed/device_mesh.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_setup.h"

namespace entune {

/// How far the logits of a merged model, read back from what was written, lie from those of the adapter on its base:
/// over the whole vocabulary, at the last positions of the cell's prompt with an empty text.
struct MergeDifference {
  double largest = 0.0;        ///< of the absolute differences
  double largest_logit = 0.0;  ///< absolute, to compare with
  std::int64_t num_positions = 0;
  std::int64_t num_same_choice = 0;  ///< positions at which both find the same token most likely
};

/// "largest logit difference 0.0021 (logits up to 31.5), same first choice at 64 of 64 positions"
std::string describe(const MergeDifference& difference);

/// What a training leaves by its recipe's `export`, in the cell's directory: adapter/ of a LoRA training (also with
/// `merged`, which comes apart: export_merged_model), model/ of a full one. Collective over the mesh; data rank 0's
/// tensor group writes. Each of them, and a merged model, comes with the tokenizer's files of the chat family that was
/// trained (write_tokenizer_files), a model also with its end tokens in config.json and generation_config.json; where
/// transformers will differ from Entune all the same, a warning says so.
void export_trained_weights(const Recipe& recipe, const CellSetup& setup, DecoderModel& model, DeviceMesh& mesh,
                            const std::filesystem::path& directory);

/// Writes base and adapter merged as a Hugging Face directory `target` (absent or empty; it appears whole or not at
/// all), and compares what was written with `model`, which is freed before the merged one is loaded: no two models are
/// held at once. Collective over the mesh; rank 0 of the world gets the comparison.
MergeDifference export_merged_model(const Recipe& recipe, const CellSetup& setup, std::unique_ptr<DecoderModel> model,
                                    DeviceMesh& mesh, const std::filesystem::path& target);

/// What `trainer export` writes: the model of a full fine-tuning, the adapter of a LoRA run, or that merged into its
/// base.
enum class ExportForm { hf, peft, merged };

struct ExportOptions {
  std::filesystem::path run;
  std::string cell;                    ///< empty: the run's only one
  std::vector<std::string> overrides;  ///< of its recipe
  ExportForm form = ExportForm::peft;
  std::filesystem::path output;  ///< absent or empty; appears whole or not at all
};

/// Exports a cell of a finished run. A comparison comes with `merged`, on rank 0. Throws InputError for a form that the
/// cell's training does not have and for an `output` that holds something, before a weight is read. Collective over the
/// world.
std::optional<MergeDifference> export_cell(const ExportOptions& options, Communicator& world);

}  // namespace entune
