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

LlamaConfig smollm2() {
  LlamaConfig config = make({30, 576, 1536, 9, 3, 49152}, 1e5, 8192, 1, {2});
  config.tie_word_embeddings = true;
  config.pad_token_id = 2;
  return config;
}

LlamaConfig mistral(std::int64_t vocab_size) {
  LlamaConfig config = make({32, 4096, 14336, 32, 8, vocab_size}, 1e6, 32768, 1, {2});
  config.model_type = "mistral";
  return config;
}

LlamaConfig llama31() {
  LlamaConfig config = make({32, 4096, 14336, 32, 8, 128256}, 5e5, 131072, 128000, {128001, 128008, 128009});
  config.rope_scaling = {.type = RotaryScaling::Type::llama3,
                         .factor = 8.0,
                         .low_frequency_factor = 1.0,
                         .high_frequency_factor = 4.0,
                         .original_positions = 8192.0};
  return config;
}

LlamaConfig qwen25(const Shape& shape) {
  LlamaConfig config = make(shape, 1e6, 32768, 151643, {151645, 151643});
  config.model_type = "qwen2";
  config.qkv_bias = true;
  config.rms_norm_eps = 1e-6;
  config.pad_token_id = 151643;
  return config;
}

LlamaConfig qwen3(const Shape& shape) {
  LlamaConfig config = qwen25(shape);
  config.model_type = "qwen3";
  config.qkv_bias = false;
  config.qk_norm = true;
  config.head_dim = 128;
  config.max_position_embeddings = 40960;
  return config;
}

const std::vector<Preset>& presets() {
  static const std::vector<Preset> kPresets = {
      {"smollm2-135m", smollm2()},
      {"llama2-7b", make({32, 4096, 11008, 32, 32, 32000}, 1e4, 4096, 1, {2})},
      {"mistral-7b", mistral(32000)},
      {"mistral-7b-v0.3", mistral(32768)},
      {"qwen2.5-7b", qwen25({28, 3584, 18944, 28, 4, 152064})},
      {"llama3-8b", make({32, 4096, 14336, 32, 8, 128256}, 5e5, 8192, 128000, {128001, 128009})},
      {"llama3.1-8b", llama31()},
      {"qwen3-8b", qwen3({36, 4096, 12288, 32, 8, 151936})},
      {"llama2-13b", make({40, 5120, 13824, 40, 40, 32000}, 1e4, 4096, 1, {2})},
      {"qwen3-14b", qwen3({40, 5120, 17408, 40, 8, 151936})},
      {"qwen2.5-14b", qwen25({48, 5120, 13824, 40, 8, 152064})},
      {"qwen3-32b", qwen3({64, 5120, 25600, 64, 8, 151936})},
      {"qwen2.5-32b", qwen25({64, 5120, 27648, 40, 8, 152064})},
      {"codellama-34b", make({48, 8192, 22016, 64, 8, 32000}, 1e6, 16384, 1, {2})},
      {"yi-34b", make({60, 7168, 20480, 56, 8, 64000}, 5e6, 4096, 1, {2})},
  };
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
