#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "data/tokens/tokenizer.h"
#include "distributed/device_mesh.h"
#include "trainer/evaluate/answer_task.h"
#include "trainer/model/decoder_model.h"
#include "trainer/recipe/recipe.h"

namespace entune {

/// What a recipe resolves to once its model directory is read: everything small, before any weight is loaded.
struct CellSetup {
  LlamaConfig config;
  std::optional<LoraOptions> lora;  ///< training.lora, or model.adapter's where nothing is trained
  std::string chat_family;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<AnswerTask> task;  ///< over the recipe's whole label list
};

/// Reads config, tokenizer and the configuration of model.adapter. Throws InputError, also for a layout that the model
/// or the world size does not allow, for a model whose chat family is not plain from its files (set model.chat then)
/// and for an adapter that does not fit training.lora.
CellSetup set_up_cell(const Recipe& recipe, std::int64_t world_size);

/// The part of set_up_cell() that needs no tokenizer: config and adapters alone. A preset needs no model directory.
CellSetup set_up_shape(const Recipe& recipe, std::int64_t world_size);

/// The task of `setup` over another label list or prompt (label list variants).
std::unique_ptr<AnswerTask> make_task(const Recipe& recipe, const CellSetup& setup, const LabelList& labels);

/// "lora", "full" or "none", as recipes write it.
std::string method_name(TrainingMethod method);

/// Parameters over all tensor ranks, without adapters, and those that have a gradient.
struct ModelSize {
  std::int64_t parameters = 0;
  std::int64_t trained = 0;
};
ModelSize model_size(DecoderModel& model);

/// How the recipe's model is held on `device`.
ModelOptions model_options(const Recipe& recipe, const CellSetup& setup, at::Device device);

/// The model on the mesh's device with its weights, adapters from model.adapter or else initialized from the recipe's
/// seed. Collective over the mesh. `shown`: progress on standard error.
std::unique_ptr<DecoderModel> load_model(const Recipe& recipe, const CellSetup& setup, DeviceMesh& mesh, bool shown);

}  // namespace entune
