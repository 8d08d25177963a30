#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace entune {

/// Shape and constants of a Llama-family decoder, as config.json of a Hugging Face directory states them.
struct LlamaConfig {
  std::string model_type = "llama";  ///< llama | mistral
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;  ///< C
  std::int64_t intermediate_size = 0;
  std::int64_t num_layers = 0;
  std::int64_t num_heads = 0;     ///< H
  std::int64_t num_kv_heads = 0;  ///< K; H % K == 0
  std::int64_t head_dim = 0;      ///< D
  double rms_norm_eps = 1e-5;
  double rope_theta = 10000.0;
  std::int64_t max_position_embeddings = 2048;
  std::optional<std::int64_t> sliding_window;  ///< a token sees the last `sliding_window` positions, itself included
  bool tie_word_embeddings = false;
  double initializer_range = 0.02;
  std::optional<std::int64_t> bos_token_id;
  std::vector<std::int64_t> eos_token_ids;
  std::optional<std::int64_t> pad_token_id;
};

}  // namespace entune
