#include "trainer/study/cell_setup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>

#include "data/input_error.h"
#include "trainer/study/chat_family.h"
#include "trainer/telemetry/progress.h"
#include "trainer/weights/config_field_names.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/presets.h"

namespace entune {
namespace {

// bfloat16 pays on GPUs and on CPUs with AMX; elsewhere its products are slower than float32's.
bool cpu_has_amx() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) == 0) return line.find("amx_bf16") != std::string::npos;
  }
  return false;
}

at::ScalarType resolve_dtype(const std::string& name, at::Device device) {
  if (name == "auto") return device.is_cuda() || cpu_has_amx() ? at::kBFloat16 : at::kFloat;
  return name == "bfloat16" ? at::kBFloat16 : at::kFloat;
}

std::string resolve_chat_family(const Recipe& recipe, const LlamaConfig& config, const Tokenizer& tokenizer) {
  if (recipe.model.chat != "auto") return recipe.model.chat;
  if (const auto family = find_chat_family(recipe.model.path, config, tokenizer)) return *family;
  throw InputError(
      fmt::format("model.chat: auto: the chat family of {} is not plain from its files (model_type {}, vocabulary {}); "
                  "set model.chat to one of: {}",
                  recipe.model.path, config.model_type, config.vocab_size, fmt::join(chat_families(), ", ")));
}

LlamaConfig resolve_config(const Recipe& recipe) {
  if (recipe.model.init == "random") {
    if (const auto preset = preset_config(recipe.model.preset)) return *preset;
  }
  return read_llama_config(recipe.model.path);
}

// The adapters that the model carries: to be trained, or one that is given and answers as it is.
std::optional<LoraOptions> resolve_lora(const Recipe& recipe) {
  const bool is_given = recipe.model.adapter != "none";
  if (recipe.training.method == TrainingMethod::lora) {
    if (is_given) expect_peft_config(recipe.model.adapter, recipe.training.lora);
    return recipe.training.lora;
  }
  if (!is_given) return std::nullopt;
  return read_peft_config(recipe.model.adapter);
}

}  // namespace

CellSetup set_up_shape(const Recipe& recipe, std::int64_t world_size) {
  CellSetup setup;
  setup.config = resolve_config(recipe);
  validate_layout(recipe, setup.config, world_size);
  setup.lora = resolve_lora(recipe);
  return setup;
}

CellSetup set_up_cell(const Recipe& recipe, std::int64_t world_size) {
  CellSetup setup = set_up_shape(recipe, world_size);
  setup.tokenizer = load_tokenizer(recipe.model.path);
  if (setup.tokenizer->vocab_size() > setup.config.vocab_size) {
    throw InputError(
        fmt::format("{}: expected a tokenizer of at most {} pieces (config.json's vocab_size), found {}; take the "
                    "tokenizer that belongs to the model",
                    recipe.model.path, setup.config.vocab_size, setup.tokenizer->vocab_size()));
  }
  setup.chat_family = resolve_chat_family(recipe, setup.config, *setup.tokenizer);
  setup.task = make_task(recipe, setup, recipe.labels);
  return setup;
}

std::unique_ptr<AnswerTask> make_task(const Recipe& recipe, const CellSetup& setup, const LabelList& labels) {
  return std::make_unique<AnswerTask>(recipe.task.format, recipe.task.prompt, labels, setup.chat_family,
                                      *setup.tokenizer);
}

std::string method_name(TrainingMethod method) {
  return method == TrainingMethod::lora ? "lora" : method == TrainingMethod::full ? "full" : "none";
}

ModelSize model_size(DecoderModel& model) {
  ModelSize all;
  for (const Parameter& parameter : model.parameters()) {
    const std::int64_t size = c10::multiply_integers(parameter.full_shape);
    if (!parameter.is_adapter) all.parameters += size;
    if (parameter.value.requires_grad()) all.trained += size;
  }
  return all;
}

ModelOptions model_options(const Recipe& recipe, const CellSetup& setup, at::Device device) {
  return {.dtype = resolve_dtype(recipe.model.dtype, device),
          .lora = setup.lora,
          .train_base = recipe.training.method == TrainingMethod::full,
          .checkpointing = recipe.training.activation_checkpointing,
          .sequence_parallel = recipe.parallel.sequence,
          .device = device};
}

std::unique_ptr<DecoderModel> load_model(const Recipe& recipe, const CellSetup& setup, DeviceMesh& mesh, bool shown) {
  const ModelOptions options = model_options(recipe, setup, mesh.device());
  auto model = std::make_unique<DecoderModel>(setup.config, options, mesh.axis(MeshAxis::tensor));
  const bool is_random = recipe.model.init == "random";
  if (is_random) model->initialize_random(recipe.seed);
  // Before the base: what does not fit is refused before the long read.
  if (recipe.model.adapter != "none") {
    load_peft_adapter(recipe.model.adapter, *model);
  } else if (options.lora) {
    model->initialize_lora(recipe.seed);
  }
  if (!is_random) {
    if (shown) warn_of_unknown_config_fields(recipe.model.path);
    load_hugging_face_weights(recipe.model.path, *model, byte_progress("loading " + recipe.model.path, shown));
  }
  return model;
}

}  // namespace entune
