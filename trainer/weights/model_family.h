#pragma once

#include <cstdint>
#include <string_view>

namespace entune {

/// What sets a family apart in its config.json. Defaults are those of transformers' class.
struct ModelFamily {
  std::string_view model_type;
  std::string_view architecture;
  std::int64_t default_kv_heads;  ///< 0: as many as heads
  std::int64_t default_head_dim;  ///< 0: hidden_size / heads
  std::int64_t default_positions;
  bool qkv_bias = false;
  bool qk_norm = false;
};

inline constexpr ModelFamily kModelFamilies[] = {
    {"llama", "LlamaForCausalLM", 0, 0, 2048},
    {"mistral", "MistralForCausalLM", 8, 0, 131072},
    {"qwen2", "Qwen2ForCausalLM", 32, 0, 32768, /*qkv_bias=*/true},
    {"qwen3", "Qwen3ForCausalLM", 32, 128, 32768, /*qkv_bias=*/false, /*qk_norm=*/true},
};

}  // namespace entune
