#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "data/input_error.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/model_family.h"
#include "trainer/weights/strict_json.h"

namespace entune {
namespace {

constexpr std::int64_t kMaxSize =
    std::numeric_limits<std::int32_t>::max();  // of any dimension: products of two fit int64

/// The fields of one config.json, read with errors that name the file and the field.
class Fields {
 public:
  explicit Fields(const std::filesystem::path& path) : path_(path.string()), json_(read_strict_json(path)) {}

  [[noreturn]] void fail(std::string_view field, std::string_view expected, const std::string& found) const {
    throw InputError(fmt::format("{}: {}: expected {}, found {}", path_, field, expected, found));
  }

  /// The value, or nullptr if the field is absent or null.
  const nlohmann::json* find(const char* field) const { return find_in(json_, field); }
  /// Whether the field stands there, be it as null.
  bool states(const char* field) const { return json_.contains(field); }
  static const nlohmann::json* find_in(const nlohmann::json& object, const char* field) {
    const auto found = object.find(field);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }

  std::optional<std::int64_t> size(const char* field) const {
    const auto* value = find(field);
    if (value == nullptr) {
      return std::nullopt;
    }
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() == 0 || value->get<std::uint64_t>() > kMaxSize) {
      fail(field, fmt::format("an integer from 1 to {}", kMaxSize), shown(*value));
    }
    return value->get<std::int64_t>();
  }
  std::int64_t required_size(const char* field) const {
    const auto value = size(field);
    if (!value) {
      fail(field, fmt::format("an integer from 1 to {}", kMaxSize), "no such field");
    }
    return *value;
  }
  std::string text(const char* field, const std::string& otherwise) const {
    const auto* value = find(field);
    if (value == nullptr) {
      return otherwise;
    }
    if (!value->is_string()) {
      fail(field, "a string", value->type_name());
    }
    return value->get<std::string>();
  }
  double positive(std::string_view field, const nlohmann::json& value) const {
    if (!value.is_number() || !(value.get<double>() > 0.0)) {
      fail(field, "a number above 0", shown(value));
    }
    return value.get<double>();
  }
  bool flag(const char* field, bool otherwise) const {
    const auto* value = find(field);
    if (value == nullptr) {
      return otherwise;
    }
    if (!value->is_boolean()) {
      fail(field, "true or false", shown(*value));
    }
    return value->get<bool>();
  }
  std::int64_t token_id(const char* field, const nlohmann::json& value, std::int64_t vocab_size) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= static_cast<std::uint64_t>(vocab_size)) {
      fail(field, fmt::format("a token id below the vocab_size {}", vocab_size), shown(value));
    }
    return value.get<std::int64_t>();
  }

 private:
  std::string path_;
  nlohmann::json json_;
};

const ModelFamily& read_family(const Fields& fields) {
  const std::string model_type = fields.text("model_type", "none");
  for (const ModelFamily& family : kModelFamilies) {
    if (family.model_type != model_type) {
      continue;
    }
    const auto* architectures = fields.find("architectures");
    if (architectures != nullptr && *architectures != nlohmann::json::array({family.architecture})) {
      fields.fail("architectures", family.architecture, shown(*architectures));
    }
    return family;
  }
  fields.fail("model_type", "llama, mistral, qwen2 or qwen3", shown(model_type));
}

void refuse_unsupported(const Fields& fields) {
  for (const char* bias : {"attention_bias", "mlp_bias"}) {
    if (fields.flag(bias, false)) {
      fields.fail(bias, "false: biases but Qwen2's of q, k and v are not supported", "true");
    }
  }
  if (const std::string activation = fields.text("hidden_act", "silu"); activation != "silu") {
    fields.fail("hidden_act", "silu", shown(activation));
  }
  if (fields.find("quantization_config") != nullptr) {
    fields.fail("quantization_config", "no such field: a directory that is not quantized", "one");
  }
  if (fields.flag("rope_interleaved", false)) {
    fields.fail("rope_interleaved", "false: interleaved rotary positions are not supported", "true");
  }
  for (const char* field : {"attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "logits_scaling",
                            "dual_chunk_attention_config", "embedding_multiplier", "residual_multiplier",
                            "attention_multiplier", "query_pre_attn_scalar"}) {
    if (const auto* value = fields.find(field)) {
      fields.fail(field, "no such field: a model that computes so is not supported", shown(*value));
    }
  }
  if (const auto* partial = fields.find("partial_rotary_factor"); partial != nullptr && *partial != 1.0) {
    fields.fail("partial_rotary_factor", "1", shown(*partial));
  }
}

std::int64_t read_kv_heads(const Fields& fields, const ModelFamily& family, std::int64_t num_heads) {
  const auto value = fields.size("num_key_value_heads");
  const bool as_many = fields.states("num_key_value_heads") || family.default_kv_heads == 0;  // null: as many as heads
  const std::int64_t kv_heads = value.value_or(as_many ? num_heads : family.default_kv_heads);
  if (num_heads % kv_heads != 0) {
    fields.fail("num_key_value_heads", fmt::format("a divisor of the {} heads", num_heads),
                fmt::format("{}", kv_heads));
  }
  return kv_heads;
}

void refuse_settings_of_layers(const Fields& fields, const std::string& name, const nlohmann::json& object) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      fields.fail(name + "." + key, "one setting for all layers: rotary settings by layer type are not supported",
                  "an object");
    }
  }
}

/// What scales positions means nothing beside the type "default", which transformers' own files state without it.
void refuse_scaling_without_type(const Fields& fields, const std::string& name, const nlohmann::json& object) {
  for (const char* key :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings", "attention_factor",
        "beta_fast", "beta_slow", "short_factor", "long_factor", "mscale", "mscale_all_dim", "mrope_section"}) {
    if (const auto* value = Fields::find_in(object, key)) {
      fields.fail(name + "." + key, "no such field without a rope_type that uses it (linear or llama3)", shown(*value));
    }
  }
}

/// One object of rotary settings: transformers 4's rope_scaling or transformers 5's rope_parameters.
RotaryScaling read_rope_scaling(const Fields& fields, const std::string& name, const nlohmann::json& object) {
  if (!object.is_object()) {
    fields.fail(name, "an object", object.type_name());
  }
  const auto number = [&](const char* key) {
    const auto* value = Fields::find_in(object, key);
    const std::string path = name + "." + key;
    if (value == nullptr) {
      fields.fail(path, "a number above 0", "no such field");
    }
    return fields.positive(path, *value);
  };
  refuse_settings_of_layers(fields, name, object);
  const auto* type = Fields::find_in(object, "rope_type");
  const char* type_key = type == nullptr ? "type" : "rope_type";  // the old and the new spelling
  if (const auto* old_type = Fields::find_in(object, "type"); type == nullptr) {
    type = old_type;
  } else if (old_type != nullptr && *old_type != *type) {
    fields.fail(name + ".type", fmt::format("the same as rope_type, {}", shown(*type)), shown(*old_type));
  }
  RotaryScaling scaling;
  if (type == nullptr || *type == "default") {
    refuse_scaling_without_type(fields, name, object);
  } else if (*type == "linear") {
    scaling.type = RotaryScaling::Type::linear;
    scaling.factor = number("factor");
  } else if (*type == "llama3") {
    scaling.type = RotaryScaling::Type::llama3;
    scaling.factor = number("factor");
    scaling.low_frequency_factor = number("low_freq_factor");
    scaling.high_frequency_factor = number("high_freq_factor");
    scaling.original_positions = number("original_max_position_embeddings");
    if (scaling.high_frequency_factor <= scaling.low_frequency_factor) {
      fields.fail(name + ".high_freq_factor",
                  fmt::format("a number above low_freq_factor, {}", scaling.low_frequency_factor),
                  fmt::format("{}", scaling.high_frequency_factor));
    }
  } else {
    fields.fail(fmt::format("{}.{}", name, type_key),
                "default, linear or llama3: other scalings of rotary positions are not supported", shown(*type));
  }
  if (const auto* partial = Fields::find_in(object, "partial_rotary_factor"); partial != nullptr && *partial != 1.0) {
    fields.fail(name + ".partial_rotary_factor", "1", shown(*partial));
  }
  return scaling;
}

/// transformers 4 writes rope_theta and rope_scaling; transformers 5 writes rope_parameters {rope_theta, rope_type,
/// ...}. Where both stand they must agree.
void read_rotary(const Fields& fields, LlamaConfig& config) {
  std::optional<double> theta;
  std::optional<RotaryScaling> scaling;
  if (const auto* value = fields.find("rope_scaling")) {
    scaling = read_rope_scaling(fields, "rope_scaling", *value);
  }
  if (const auto* value = fields.find("rope_theta")) {
    theta = fields.positive("rope_theta", *value);
  }
  if (const auto* parameters = fields.find("rope_parameters")) {
    const RotaryScaling other_scaling = read_rope_scaling(fields, "rope_parameters", *parameters);
    if (scaling && *scaling != other_scaling) {
      fields.fail("rope_parameters", "the same scaling as in rope_scaling", "another");
    }
    scaling = other_scaling;
    if (const auto* value = Fields::find_in(*parameters, "rope_theta")) {
      const double other = fields.positive("rope_parameters.rope_theta", *value);
      if (theta && *theta != other) {
        fields.fail("rope_parameters.rope_theta", fmt::format("the same as rope_theta, {}", *theta),
                    fmt::format("{}", other));
      }
      theta = other;
    }
  }
  config.rope_theta = theta.value_or(10000.0);
  config.rope_scaling = scaling.value_or(RotaryScaling());
}

/// The window of every layer, or none. Qwen's switch leaves the first max_window_layers without one.
std::optional<std::int64_t> read_sliding_window(const Fields& fields, const LlamaConfig& config) {
  constexpr std::int64_t kDefaultWindow = 4096, kDefaultFullLayers = 28;  // transformers' classes
  const auto* layers = fields.find("max_window_layers");
  if (layers != nullptr && (!layers->is_number_unsigned() || layers->get<std::uint64_t>() > kMaxSize)) {
    fields.fail("max_window_layers", fmt::format("a number of layers, 0 to {}", kMaxSize), shown(*layers));
  }
  std::optional<std::int64_t> window;
  if (config.model_type == "mistral") {
    window = fields.states("sliding_window") ? fields.size("sliding_window") : kDefaultWindow;
  } else if (config.model_type != "llama" && fields.flag("use_sliding_window", false)) {
    window = fields.states("sliding_window") ? fields.size("sliding_window") : kDefaultWindow;
    const std::int64_t full = layers == nullptr ? kDefaultFullLayers : layers->get<std::int64_t>();
    if (window && full >= config.num_layers) {
      window.reset();
    } else if (window && full > 0) {
      fields.fail("max_window_layers",
                  fmt::format("0 or at least the {} layers: windows in some layers alone are not supported",
                              config.num_layers),
                  fmt::format("{}", full));
    }
  }
  if (const auto* types = fields.find("layer_types"); types != nullptr) {
    if (!types->is_array() || types->size() != static_cast<std::size_t>(config.num_layers)) {
      fields.fail("layer_types", fmt::format("an array of {} strings (num_hidden_layers)", config.num_layers),
                  types->is_array() ? fmt::format("{}", types->size()) : shown(*types));
    }
    const char* expected = window ? "sliding_attention" : "full_attention";
    for (const auto& type : *types) {
      if (type != expected) {
        fields.fail("layer_types", fmt::format("{} in every layer, as the other fields say", expected), shown(type));
      }
    }
  }
  return window;
}

}  // namespace

LlamaConfig read_llama_config(const std::filesystem::path& model_directory) {
  const Fields fields(model_directory / "config.json");
  const ModelFamily& family = read_family(fields);
  refuse_unsupported(fields);
  LlamaConfig config;
  config.model_type = family.model_type;
  config.vocab_size = fields.required_size("vocab_size");
  config.hidden_size = fields.required_size("hidden_size");
  config.intermediate_size = fields.required_size("intermediate_size");
  config.num_layers = fields.required_size("num_hidden_layers");
  config.num_heads = fields.required_size("num_attention_heads");
  config.num_kv_heads = read_kv_heads(fields, family, config.num_heads);
  if (const auto head_dim = fields.size("head_dim")) {
    config.head_dim = *head_dim;
  } else if (family.default_head_dim > 0 && !fields.states("head_dim")) {
    config.head_dim = family.default_head_dim;
  } else if (config.hidden_size % config.num_heads == 0) {
    config.head_dim = config.hidden_size / config.num_heads;
  } else {
    fields.fail("hidden_size", fmt::format("a multiple of the {} heads, or a head_dim", config.num_heads),
                fmt::format("{}", config.hidden_size));
  }
  if (config.head_dim % 2 != 0) {
    fields.fail("head_dim", "an even number", fmt::format("{}", config.head_dim));
  }
  // Vicuna 16k states the positions before scaling in the one and after it in the other.
  config.max_position_embeddings = std::max(fields.size("max_position_embeddings").value_or(family.default_positions),
                                            fields.size("max_sequence_length").value_or(0));
  if (const auto* eps = fields.find("rms_norm_eps")) {
    config.rms_norm_eps = fields.positive("rms_norm_eps", *eps);
  } else {
    config.rms_norm_eps = 1e-6;  // transformers' default for every family
  }
  read_rotary(fields, config);
  config.sliding_window = read_sliding_window(fields, config);
  config.qkv_bias = family.qkv_bias;
  config.qk_norm = family.qk_norm;
  config.tie_word_embeddings = fields.flag("tie_word_embeddings", false);
  if (const auto* range = fields.find("initializer_range")) {
    config.initializer_range = fields.positive("initializer_range", *range);
  }
  if (const auto* bos = fields.find("bos_token_id")) {
    config.bos_token_id = fields.token_id("bos_token_id", *bos, config.vocab_size);
  }
  if (const auto* eos = fields.find("eos_token_id")) {
    for (const auto& id : eos->is_array() ? *eos : nlohmann::json::array({*eos})) {
      config.eos_token_ids.push_back(fields.token_id("eos_token_id", id, config.vocab_size));
    }
  }
  if (const auto* pad = fields.find("pad_token_id");
      pad != nullptr && *pad != -1) {  // -1: old Llama directories for none
    config.pad_token_id = fields.token_id("pad_token_id", *pad, config.vocab_size);
  }
  return config;
}

}  // namespace entune
