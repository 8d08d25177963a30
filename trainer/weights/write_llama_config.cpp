#include <nlohmann/json.hpp>

#include "trainer/weights/hugging_face.h"
#include "trainer/weights/model_family.h"
#include "trainer/weights/output_file.h"

namespace entune {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(nullptr); }

std::string_view architecture_of(const LlamaConfig& config) {
  for (const ModelFamily& family : kModelFamilies) {
    if (family.model_type == config.model_type) {
      return family.architecture;
    }
  }
  TORCH_CHECK(false, "no model family ", config.model_type);
}

/// {"rope_type": ...} and what the type needs.
Json rope_json(const RotaryScaling& scaling) {
  switch (scaling.type) {
    case RotaryScaling::Type::none:
      return {{"rope_type", "default"}};
    case RotaryScaling::Type::linear:
      return {{"rope_type", "linear"}, {"factor", scaling.factor}};
    case RotaryScaling::Type::llama3:
      return {{"rope_type", "llama3"},
              {"factor", scaling.factor},
              {"low_freq_factor", scaling.low_frequency_factor},
              {"high_freq_factor", scaling.high_frequency_factor},
              {"original_max_position_embeddings", static_cast<std::int64_t>(scaling.original_positions)}};
  }
  return {};
}

void add_rotary(const LlamaConfig& config, Json& json) {
  const Json scaling = rope_json(config.rope_scaling);
  json["rope_theta"] = config.rope_theta;
  json["rope_scaling"] = config.rope_scaling.type == RotaryScaling::Type::none ? Json(nullptr) : scaling;
  json["rope_parameters"] = scaling;
  json["rope_parameters"]["rope_theta"] = config.rope_theta;
}

void add_attention(const LlamaConfig& config, Json& json) {
  if (config.model_type == "mistral") {
    json["sliding_window"] = or_null(config.sliding_window);
    return;
  }
  if (config.model_type == "llama") {
    json["attention_bias"] = false;
    json["mlp_bias"] = false;
    return;
  }
  if (config.model_type == "qwen3") {
    json["attention_bias"] = false;
  }
  json["use_sliding_window"] = config.sliding_window.has_value();
  json["sliding_window"] = or_null(config.sliding_window);
  json["max_window_layers"] = config.sliding_window ? 0 : config.num_layers;
}

}  // namespace

void write_llama_config(const std::filesystem::path& directory, const LlamaConfig& config, at::ScalarType dtype) {
  const Json eos = config.eos_token_ids.empty()       ? Json(nullptr)
                   : config.eos_token_ids.size() == 1 ? Json(config.eos_token_ids[0])
                                                      : Json(config.eos_token_ids);
  Json json;
  json["architectures"] = {architecture_of(config)};
  json["model_type"] = config.model_type;
  json["vocab_size"] = config.vocab_size;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.num_layers;
  json["num_attention_heads"] = config.num_heads;
  json["num_key_value_heads"] = config.num_kv_heads;
  json["head_dim"] = config.head_dim;
  json["hidden_act"] = "silu";
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["rms_norm_eps"] = config.rms_norm_eps;
  add_rotary(config, json);
  add_attention(config, json);
  json["attention_dropout"] = 0.0;
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  json["initializer_range"] = config.initializer_range;
  json["bos_token_id"] = or_null(config.bos_token_id);
  json["eos_token_id"] = eos;
  json["pad_token_id"] = or_null(config.pad_token_id);
  json["torch_dtype"] = dtype == at::kBFloat16 ? "bfloat16" : dtype == at::kHalf ? "float16" : "float32";
  json["use_cache"] = true;
  write_text_file(directory / "config.json", json.dump(2) + "\n");

  const Json generation = {{"_from_model_config", true},
                           {"bos_token_id", or_null(config.bos_token_id)},
                           {"eos_token_id", eos},
                           {"pad_token_id", or_null(config.pad_token_id)}};
  write_text_file(directory / "generation_config.json", generation.dump(2) + "\n");
}

}  // namespace entune
