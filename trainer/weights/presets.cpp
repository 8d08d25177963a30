#include "trainer/weights/presets.h"

#include <utility>

namespace entune {
namespace {

struct Shape {
  std::int64_t num_layers, hidden_size, intermediate_size, num_heads, num_kv_heads, vocab_size;
};

LlamaConfig make(const Shape& shape, double rope_theta, std::int64_t context, std::int64_t bos,
                 std::vector<std::int64_t> eos) {
  LlamaConfig config;
  config.vocab_size = shape.vocab_size;
  config.hidden_size = shape.hidden_size;
  config.intermediate_size = shape.intermediate_size;
  config.num_layers = shape.num_layers;
  config.num_heads = shape.num_heads;
  config.num_kv_heads = shape.num_kv_heads;
  config.head_dim = shape.hidden_size / shape.num_heads;
  config.rope_theta = rope_theta;
  config.max_position_embeddings = context;
  config.bos_token_id = bos;
  config.eos_token_ids = std::move(eos);
  return config;
}

struct Preset {
  std::string name;
  LlamaConfig config;
};

const std::vector<Preset>& presets() {
  static const std::vector<Preset> kPresets = [] {
    std::vector<Preset> list = {
        {"smollm2-135m", make({30, 576, 1536, 9, 3, 49152}, 1e5, 8192, 1, {2})},
        {"llama2-7b", make({32, 4096, 11008, 32, 32, 32000}, 1e4, 4096, 1, {2})},
        {"mistral-7b", make({32, 4096, 14336, 32, 8, 32000}, 1e6, 32768, 1, {2})},
        {"llama3-8b", make({32, 4096, 14336, 32, 8, 128256}, 5e5, 8192, 128000, {128001, 128009})},
        {"llama2-13b", make({40, 5120, 13824, 40, 40, 32000}, 1e4, 4096, 1, {2})},
        {"codellama-34b", make({48, 8192, 22016, 64, 8, 32000}, 1e6, 16384, 1, {2})},
        {"yi-34b", make({60, 7168, 20480, 56, 8, 64000}, 5e6, 4096, 1, {2})},
    };
    list[0].config.tie_word_embeddings = true;
    list[0].config.pad_token_id = 2;
    list[2].config.model_type = "mistral";
    return list;
  }();
  return kPresets;
}

}  // namespace

std::optional<LlamaConfig> preset_config(std::string_view name) {
  for (const auto& preset : presets()) {
    if (preset.name == name) {
      return preset.config;
    }
  }
  return std::nullopt;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& preset : presets()) {
    names.push_back(preset.name);
  }
  return names;
}

}  // namespace entune
