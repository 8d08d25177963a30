#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/kernels/rotary_scaling.h"

namespace entune {

/// Shape and constants of a Llama-family decoder, as config.json of a Hugging Face directory states them. What sets the
/// families apart is in the fields; model_type alone decides nothing in the model.
struct LlamaConfig {
  std::string model_type = "llama";  ///< llama | mistral | qwen2 | qwen3
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;  ///< C
  std::int64_t intermediate_size = 0;
  std::int64_t num_layers = 0;
  std::int64_t num_heads = 0;     ///< H
  std::int64_t num_kv_heads = 0;  ///< K; H % K == 0
  std::int64_t head_dim = 0;      ///< D
  double rms_norm_eps = 1e-5;
  double rope_theta = 10000.0;
  RotaryScaling rope_scaling;
  std::int64_t max_position_embeddings = 2048;
  std::optional<std::int64_t> sliding_window;  ///< a token sees the last `sliding_window` positions, itself included
  bool qkv_bias = false;  ///< q, k and v have biases (Qwen2)
  bool qk_norm = false;   ///< each head's q and k pass a norm of their own before they are rotated (Qwen3)
  bool tie_word_embeddings = false;
  double initializer_range = 0.02;
  std::optional<std::int64_t> bos_token_id;
  std::vector<std::int64_t> eos_token_ids;
  std::optional<std::int64_t> pad_token_id;

  bool operator==(const LlamaConfig&) const = default;
};

}  // namespace entune
