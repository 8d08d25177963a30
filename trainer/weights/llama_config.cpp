#include <fmt/format.h>

#include <limits>
#include <string>
#include <string_view>

#include "data/input_error.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/output_file.h"
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
      fail(field, fmt::format("an integer from 1 to {}", kMaxSize), value->dump());
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
  double positive(const char* field, const nlohmann::json& value) const {
    if (!value.is_number() || !(value.get<double>() > 0.0)) {
      fail(field, "a number above 0", value.dump());
    }
    return value.get<double>();
  }
  bool flag(const char* field, bool otherwise) const {
    const auto* value = find(field);
    if (value == nullptr) {
      return otherwise;
    }
    if (!value->is_boolean()) {
      fail(field, "true or false", value->dump());
    }
    return value->get<bool>();
  }
  std::int64_t token_id(const char* field, const nlohmann::json& value, std::int64_t vocab_size) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= static_cast<std::uint64_t>(vocab_size)) {
      fail(field, fmt::format("a token id below the vocab_size {}", vocab_size), value.dump());
    }
    return value.get<std::int64_t>();
  }

 private:
  std::string path_;
  nlohmann::json json_;
};

void refuse_unsupported(const Fields& fields) {
  const auto* architectures = fields.find("architectures");
  if (architectures != nullptr) {
    const bool known = architectures->is_array() && architectures->size() == 1 &&
                       ((*architectures)[0] == "LlamaForCausalLM" || (*architectures)[0] == "MistralForCausalLM");
    if (!known) {
      fields.fail("architectures", "LlamaForCausalLM or MistralForCausalLM", architectures->dump());
    }
  }
  for (const char* bias : {"attention_bias", "mlp_bias"}) {
    if (fields.flag(bias, false)) {
      fields.fail(bias, "false: layers with biases are not supported", "true");
    }
  }
  if (const std::string activation = fields.text("hidden_act", "silu"); activation != "silu") {
    fields.fail("hidden_act", "silu", "'" + activation + "'");
  }
  if (fields.find("quantization_config") != nullptr) {
    fields.fail("quantization_config", "no such field: a directory that is not quantized", "one");
  }
}

/// transformers 4 writes rope_theta and rope_scaling; transformers 5 writes rope_parameters {rope_theta, rope_type,
/// ...}.
double read_rope_theta(const Fields& fields) {
  const auto refuse_scaling = [&](const char* field, const nlohmann::json& object) {
    if (!object.is_object()) {
      fields.fail(field, "an object", object.type_name());
    }
    for (const char* key : {"rope_type", "type"}) {
      const auto* type = Fields::find_in(object, key);
      if (type != nullptr && *type != "default") {
        fields.fail(fmt::format("{}.{}", field, key), "'default': scaled rotary positions are not supported",
                    type->dump());
      }
    }
    const auto* partial = Fields::find_in(object, "partial_rotary_factor");
    if (partial != nullptr && *partial != 1.0) {
      fields.fail(fmt::format("{}.partial_rotary_factor", field), "1", partial->dump());
    }
  };
  std::optional<double> theta;
  if (const auto* scaling = fields.find("rope_scaling")) {
    refuse_scaling("rope_scaling", *scaling);
  }
  if (const auto* value = fields.find("rope_theta")) {
    theta = fields.positive("rope_theta", *value);
  }
  if (const auto* parameters = fields.find("rope_parameters")) {
    refuse_scaling("rope_parameters", *parameters);
    if (const auto* value = Fields::find_in(*parameters, "rope_theta")) {
      const double other = fields.positive("rope_parameters.rope_theta", *value);
      if (theta && *theta != other) {
        fields.fail("rope_parameters.rope_theta", fmt::format("the same as rope_theta, {}", *theta),
                    fmt::format("{}", other));
      }
      theta = other;
    }
  }
  return theta.value_or(10000.0);
}

}  // namespace

LlamaConfig read_llama_config(const std::filesystem::path& model_directory) {
  const Fields fields(model_directory / "config.json");
  LlamaConfig config;
  config.model_type = fields.text("model_type", "none");
  const bool is_mistral = config.model_type == "mistral";
  if (config.model_type != "llama" && !is_mistral) {
    fields.fail("model_type", "llama or mistral", "'" + config.model_type + "'");
  }
  refuse_unsupported(fields);
  config.vocab_size = fields.required_size("vocab_size");
  config.hidden_size = fields.required_size("hidden_size");
  config.intermediate_size = fields.required_size("intermediate_size");
  config.num_layers = fields.required_size("num_hidden_layers");
  config.num_heads = fields.required_size("num_attention_heads");
  config.num_kv_heads = fields.size("num_key_value_heads").value_or(is_mistral ? 8 : config.num_heads);
  if (config.num_heads % config.num_kv_heads != 0) {
    fields.fail("num_key_value_heads", fmt::format("a divisor of the {} heads", config.num_heads),
                fmt::format("{}", config.num_kv_heads));
  }
  if (const auto head_dim = fields.size("head_dim")) {
    config.head_dim = *head_dim;
  } else if (config.hidden_size % config.num_heads == 0) {
    config.head_dim = config.hidden_size / config.num_heads;
  } else {
    fields.fail("hidden_size", fmt::format("a multiple of the {} heads, or a head_dim", config.num_heads),
                fmt::format("{}", config.hidden_size));
  }
  if (config.head_dim % 2 != 0) {
    fields.fail("head_dim", "an even number", fmt::format("{}", config.head_dim));
  }
  config.max_position_embeddings = fields.size("max_position_embeddings").value_or(is_mistral ? 131072 : 2048);
  if (const auto* eps = fields.find("rms_norm_eps")) {
    config.rms_norm_eps = fields.positive("rms_norm_eps", *eps);
  } else {
    config.rms_norm_eps = 1e-6;  // transformers' default for both classes
  }
  config.rope_theta = read_rope_theta(fields);
  if (is_mistral) {
    config.sliding_window = fields.size("sliding_window");
  }
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

void write_llama_config(const std::filesystem::path& directory, const LlamaConfig& config, at::ScalarType dtype) {
  const auto optional = [](const std::optional<std::int64_t>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
  };
  const nlohmann::ordered_json eos = config.eos_token_ids.empty() ? nlohmann::ordered_json(nullptr)
                                     : config.eos_token_ids.size() == 1
                                         ? nlohmann::ordered_json(config.eos_token_ids[0])
                                         : nlohmann::ordered_json(config.eos_token_ids);
  const bool is_mistral = config.model_type == "mistral";
  nlohmann::ordered_json json;
  json["architectures"] = {is_mistral ? "MistralForCausalLM" : "LlamaForCausalLM"};
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
  json["rope_theta"] = config.rope_theta;
  json["rope_scaling"] = nullptr;
  json["rope_parameters"] = {{"rope_theta", config.rope_theta}, {"rope_type", "default"}};
  if (is_mistral) {
    json["sliding_window"] = optional(config.sliding_window);
  } else {
    json["attention_bias"] = false;
    json["mlp_bias"] = false;
  }
  json["attention_dropout"] = 0.0;
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  json["initializer_range"] = config.initializer_range;
  json["bos_token_id"] = optional(config.bos_token_id);
  json["eos_token_id"] = eos;
  json["pad_token_id"] = optional(config.pad_token_id);
  json["torch_dtype"] = dtype == at::kBFloat16 ? "bfloat16" : dtype == at::kHalf ? "float16" : "float32";
  json["use_cache"] = true;
  write_text_file(directory / "config.json", json.dump(2) + "\n");

  const nlohmann::ordered_json generation = {{"_from_model_config", true},
                                             {"bos_token_id", optional(config.bos_token_id)},
                                             {"eos_token_id", eos},
                                             {"pad_token_id", optional(config.pad_token_id)}};
  write_text_file(directory / "generation_config.json", generation.dump(2) + "\n");
}

}  // namespace entune
