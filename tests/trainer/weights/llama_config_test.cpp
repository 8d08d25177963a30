// config.json: what is read, what is refused, and that what is written reads back.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "tests/support/temporary_directory.h"
#include "trainer/weights/config_field_names.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/presets.h"

namespace entune {
namespace {

using nlohmann::json;
using test::input_error_of;
using test::TemporaryDirectory;
using ::testing::HasSubstr;

json tiny_json() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", 10},
          {"hidden_size", 16},
          {"intermediate_size", 24},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"rms_norm_eps", 1e-5},
          {"max_position_embeddings", 64},
          {"rope_theta", 20000.0},
          {"tie_word_embeddings", false},
          {"bos_token_id", 1},
          {"eos_token_id", 2}};
}

LlamaConfig read(const json& config) {
  const TemporaryDirectory directory;
  test::write_file(directory / "config.json", config.dump());
  return read_llama_config(directory.path());
}

std::string error_with(const std::string& field, const json& value) {
  json config = tiny_json();
  config[field] = value;
  return input_error_of([&] { read(config); });
}

std::string error_without(const std::string& field) {
  json config = tiny_json();
  config.erase(field);
  return input_error_of([&] { read(config); });
}

TEST(LlamaConfig, ReadsWhatTransformers4Writes) {
  const LlamaConfig config = read(tiny_json());
  EXPECT_EQ(config.model_type, "llama");
  EXPECT_EQ(config.vocab_size, 10);
  EXPECT_EQ(config.hidden_size, 16);
  EXPECT_EQ(config.intermediate_size, 24);
  EXPECT_EQ(config.num_layers, 2);
  EXPECT_EQ(config.num_heads, 4);
  EXPECT_EQ(config.num_kv_heads, 2);
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.rope_theta, 20000.0);
  EXPECT_EQ(config.max_position_embeddings, 64);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_FALSE(config.sliding_window.has_value());
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_THAT(config.eos_token_ids, ::testing::ElementsAre(2));
  EXPECT_FALSE(config.pad_token_id.has_value());
}

TEST(LlamaConfig, ReadsBothSpellingsOfTheRotaryBase) {
  json config = tiny_json();
  config.erase("rope_theta");
  EXPECT_EQ(read(config).rope_theta, 10000.0);
  config["rope_parameters"] = {{"rope_theta", 5e6}, {"rope_type", "default"}};
  EXPECT_EQ(read(config).rope_theta, 5e6);
  config["rope_theta"] = 5000000;
  EXPECT_EQ(read(config).rope_theta, 5e6);
  config["rope_theta"] = 1e4;
  EXPECT_THAT(input_error_of([&] { read(config); }), HasSubstr("the same as rope_theta"));
}

TEST(LlamaConfig, DefaultsAreTheClasses) {
  json config = tiny_json();
  for (const char* field :
       {"num_key_value_heads", "rms_norm_eps", "eos_token_id", "max_position_embeddings", "tie_word_embeddings"}) {
    config.erase(field);
  }
  const LlamaConfig llama = read(config);
  EXPECT_EQ(llama.num_kv_heads, 4);
  EXPECT_EQ(llama.rms_norm_eps, 1e-6);
  EXPECT_EQ(llama.max_position_embeddings, 2048);
  EXPECT_TRUE(llama.eos_token_ids.empty());
  config["model_type"] = "mistral";
  config["architectures"] = {"MistralForCausalLM"};
  config["num_attention_heads"] = 16;
  config["head_dim"] = 6;
  config["sliding_window"] = 4096;
  config["eos_token_id"] = {2, 3};
  config["pad_token_id"] = -1;
  const LlamaConfig mistral = read(config);
  EXPECT_EQ(mistral.num_kv_heads, 8);
  EXPECT_EQ(mistral.head_dim, 6);
  EXPECT_EQ(mistral.sliding_window, 4096);
  EXPECT_THAT(mistral.eos_token_ids, ::testing::ElementsAre(2, 3));
  EXPECT_FALSE(mistral.pad_token_id.has_value());
}

TEST(LlamaConfig, RefusesByNameWhatIsNotSupported) {
  EXPECT_THAT(error_with("model_type", "gemma"),
              HasSubstr("model_type: expected llama, mistral, qwen2 or qwen3, found \"gemma\""));
  EXPECT_THAT(error_with("model_type", "qwen2"), HasSubstr("architectures: expected Qwen2ForCausalLM"));
  EXPECT_THAT(error_with("architectures", {"LlamaForSequenceClassification"}), HasSubstr("architectures"));
  EXPECT_THAT(error_with("attention_bias", true), HasSubstr("attention_bias"));
  EXPECT_THAT(error_with("mlp_bias", true), HasSubstr("mlp_bias"));
  EXPECT_THAT(error_with("hidden_act", "gelu"), HasSubstr("hidden_act: expected silu, found \"gelu\""));
  for (const char* type : {"yarn", "dynamic", "longrope", "su", "mrope"}) {
    EXPECT_THAT(error_with("rope_scaling", {{"type", type}, {"factor", 4.0}}),
                HasSubstr(fmt::format("rope_scaling.type: expected default, linear or llama3: other scalings of rotary "
                                      "positions are not supported, found \"{}\"",
                                      type)));
    EXPECT_THAT(error_with("rope_parameters", {{"rope_type", type}}), HasSubstr("rope_parameters.rope_type"));
  }
  EXPECT_THAT(error_with("rope_parameters", {{"partial_rotary_factor", 0.5}}), HasSubstr("partial_rotary_factor"));
  const json llama3 = {{"type", "linear"},       {"rope_type", "llama3"},   {"factor", 4.0},
                       {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 8192}};
  EXPECT_THAT(error_with("rope_scaling", llama3),
              HasSubstr("rope_scaling.type: expected the same as rope_type, \"llama3\", found \"linear\""));
  for (const char* key : {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    for (const json& type : {json(nullptr), json("default")}) {
      EXPECT_THAT(error_with("rope_scaling", {{"type", type}, {key, 4.0}}),
                  HasSubstr(fmt::format("rope_scaling.{}: expected no such field without a rope_type", key)));
      EXPECT_THAT(error_with("rope_parameters", {{"rope_type", type}, {"rope_theta", 20000.0}, {key, 4.0}}),
                  HasSubstr(fmt::format("rope_parameters.{}: expected no such field", key)));
    }
  }
  EXPECT_THAT(error_with("rope_parameters", {{"full_attention", {{"rope_type", "linear"}, {"factor", 4.0}}},
                                             {"sliding_attention", {{"rope_type", "default"}}}}),
              HasSubstr("rope_parameters.full_attention: expected one setting for all layers"));
  EXPECT_EQ(error_with("rope_scaling", {{"type", "linear"}, {"rope_type", "linear"}, {"factor", 4.0}}), "");
  EXPECT_EQ(error_with("rope_parameters", {{"rope_theta", 20000.0}, {"rope_type", "default"}}), "");
  EXPECT_THAT(error_with("quantization_config", json::object()), HasSubstr("quantization_config"));
  for (const char* field : {"attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "logits_scaling",
                            "dual_chunk_attention_config", "embedding_multiplier", "residual_multiplier",
                            "attention_multiplier", "query_pre_attn_scalar"}) {
    EXPECT_THAT(error_with(field, 0.5), HasSubstr(fmt::format("{}: expected no such field", field)));
    EXPECT_EQ(error_with(field, nullptr), "");
  }
  EXPECT_THAT(error_with("rope_interleaved", true), HasSubstr("rope_interleaved: expected false"));
  EXPECT_EQ(error_with("rope_scaling", nullptr), "");
  EXPECT_EQ(error_with("attention_bias", false), "");
}

TEST(LlamaConfig, RefusesWhatIsMissingOrImpossible) {
  for (const char* field :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "model_type"}) {
    EXPECT_THAT(error_without(field), HasSubstr(field));
  }
  EXPECT_THAT(error_with("hidden_size", -16), HasSubstr("hidden_size"));
  EXPECT_THAT(error_with("hidden_size", 16.5), HasSubstr("hidden_size"));
  EXPECT_THAT(error_with("hidden_size", "16"), HasSubstr("hidden_size"));
  EXPECT_THAT(error_with("hidden_size", 1e19), HasSubstr("hidden_size"));
  EXPECT_THAT(error_with("hidden_size", 18), HasSubstr("hidden_size: expected a multiple of the 4 heads"));
  EXPECT_THAT(error_with("num_key_value_heads", 3),
              HasSubstr("num_key_value_heads: expected a divisor of the 4 heads, found 3"));
  EXPECT_THAT(error_with("head_dim", 5), HasSubstr("head_dim: expected an even number"));
  EXPECT_THAT(error_with("rms_norm_eps", 0), HasSubstr("rms_norm_eps"));
  EXPECT_THAT(error_with("eos_token_id", 10),
              HasSubstr("eos_token_id: expected a token id below the vocab_size 10, found 10"));
  EXPECT_THAT(error_with("eos_token_id", {2, "x"}), HasSubstr("eos_token_id"));
  EXPECT_THAT(error_with("tie_word_embeddings", "no"), HasSubstr("tie_word_embeddings"));
  EXPECT_THAT(error_with("max_sequence_length", "long"), HasSubstr("max_sequence_length: expected an integer"));
  for (const json& layers : {json(-1), json("28"), json(1.5)}) {
    EXPECT_THAT(error_with("max_window_layers", layers), HasSubstr("max_window_layers: expected a number of layers"));
  }
  EXPECT_THAT(error_with("layer_types", "full_attention"),
              HasSubstr("layer_types: expected an array of 2 strings (num_hidden_layers), found \"full_attention\""));
  EXPECT_THAT(error_with("layer_types", {"full_attention"}),
              HasSubstr("layer_types: expected an array of 2 strings (num_hidden_layers), found 1"));
  EXPECT_THAT(error_with("layer_types", {"full_attention", 1}), HasSubstr("layer_types: expected full_attention"));

  const TemporaryDirectory directory;
  const auto error = [&](const std::string& text) {
    test::write_file(directory / "config.json", text);
    return input_error_of([&] { read_llama_config(directory.path()); });
  };
  EXPECT_THAT(input_error_of([&] { read_llama_config(directory.path()); }),
              HasSubstr("config.json: expected a readable file"));
  EXPECT_THAT(error("{\"a\":"), HasSubstr("valid JSON"));
  EXPECT_THAT(error("[]"), HasSubstr("a JSON object, found array"));
  EXPECT_THAT(error(R"({"hidden_size":1,"hidden_size":2})"), HasSubstr("\"hidden_size\" twice"));
  EXPECT_THAT(error("{\"a\":" + std::string(100'000, '[')), HasSubstr("nested at most"));
}

json family_json(const std::string& model_type, const std::string& architecture) {
  json config = tiny_json();
  config["model_type"] = model_type;
  config["architectures"] = {architecture};
  return config;
}

TEST(LlamaConfig, QwenHasBiasesOrHeadNorms) {
  const LlamaConfig llama = read(tiny_json());
  EXPECT_FALSE(llama.qkv_bias || llama.qk_norm);
  json config = family_json("qwen2", "Qwen2ForCausalLM");
  config.erase("num_key_value_heads");
  config["num_attention_heads"] = 32;
  config["hidden_size"] = 64;
  const LlamaConfig qwen2 = read(config);
  EXPECT_TRUE(qwen2.qkv_bias && !qwen2.qk_norm);
  EXPECT_EQ(qwen2.num_kv_heads, 32);
  EXPECT_EQ(qwen2.head_dim, 2);
  config["model_type"] = "qwen3";
  config["architectures"] = {"Qwen3ForCausalLM"};
  const LlamaConfig qwen3 = read(config);
  EXPECT_TRUE(qwen3.qk_norm && !qwen3.qkv_bias);
  EXPECT_EQ(qwen3.head_dim, 128) << "the class's default, whatever the hidden size";
  config["attention_bias"] = true;
  EXPECT_THAT(input_error_of([&] { read(config); }), HasSubstr("attention_bias: expected false"));
}

TEST(LlamaConfig, WindowsAreOfAllLayersOrNone) {
  json config = family_json("mistral", "MistralForCausalLM");
  EXPECT_EQ(read(config).sliding_window, 4096) << "the class's default";
  config["sliding_window"] = nullptr;
  EXPECT_FALSE(read(config).sliding_window.has_value());

  config = family_json("qwen2", "Qwen2ForCausalLM");
  config["sliding_window"] = 131072;
  config["max_window_layers"] = 1;
  EXPECT_FALSE(read(config).sliding_window.has_value()) << "use_sliding_window is not said";
  config["use_sliding_window"] = true;
  EXPECT_THAT(input_error_of([&] { read(config); }),
              HasSubstr("max_window_layers: expected 0 or at least the 2 layers"));
  config["max_window_layers"] = 2;
  EXPECT_FALSE(read(config).sliding_window.has_value()) << "all layers are below";
  config["max_window_layers"] = 0;
  EXPECT_EQ(read(config).sliding_window, 131072);
  config["layer_types"] = {"sliding_attention", "sliding_attention"};
  EXPECT_EQ(read(config).sliding_window, 131072);
  config["layer_types"] = {"sliding_attention", "full_attention"};
  EXPECT_THAT(input_error_of([&] { read(config); }), HasSubstr("layer_types: expected sliding_attention in every"));
  config["use_sliding_window"] = false;
  config["layer_types"] = {"full_attention", "full_attention"};
  EXPECT_FALSE(read(config).sliding_window.has_value());
}

TEST(LlamaConfig, ScaledRotaryPositionsInBothSpellings) {
  const RotaryScaling linear{.type = RotaryScaling::Type::linear, .factor = 4.0};
  const RotaryScaling llama3{.type = RotaryScaling::Type::llama3,
                             .factor = 8.0,
                             .low_frequency_factor = 1.0,
                             .high_frequency_factor = 4.0,
                             .original_positions = 8192.0};
  const json llama3_json = {{"rope_type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 8192}};
  json config = tiny_json();
  EXPECT_EQ(read(config).rope_scaling, RotaryScaling());
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  EXPECT_EQ(read(config).rope_scaling, linear);
  config["rope_scaling"] = llama3_json;
  EXPECT_EQ(read(config).rope_scaling, llama3);
  config["rope_parameters"] = llama3_json;
  config["rope_parameters"]["rope_theta"] = 20000.0;
  EXPECT_EQ(read(config).rope_scaling, llama3);
  EXPECT_EQ(read(config).rope_theta, 20000.0);
  config["rope_scaling"]["factor"] = 4.0;
  EXPECT_THAT(input_error_of([&] { read(config); }), HasSubstr("rope_parameters: expected the same scaling"));
  config.erase("rope_scaling");
  EXPECT_EQ(read(config).rope_scaling, llama3);
  for (const char* field : {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    json broken = config;
    broken["rope_parameters"].erase(field);
    EXPECT_THAT(input_error_of([&] { read(broken); }), HasSubstr(std::string("rope_parameters.") + field));
  }
  config["rope_parameters"]["high_freq_factor"] = 1.0;
  EXPECT_THAT(input_error_of([&] { read(config); }),
              HasSubstr("rope_parameters.high_freq_factor: expected a number above low_freq_factor, 1, found 1"));
}

/// lmsys/vicuna-7b-v1.5-16k, as published.
json vicuna_16k_json() {
  return {{"_name_or_path", "vicuna-7b-v1.5-16k"},
          {"architectures", {"LlamaForCausalLM"}},
          {"bos_token_id", 1},
          {"eos_token_id", 2},
          {"hidden_act", "silu"},
          {"hidden_size", 4096},
          {"initializer_range", 0.02},
          {"intermediate_size", 11008},
          {"max_position_embeddings", 4096},
          {"max_sequence_length", 16384},
          {"model_type", "llama"},
          {"num_attention_heads", 32},
          {"num_hidden_layers", 32},
          {"num_key_value_heads", 32},
          {"pad_token_id", 0},
          {"pretraining_tp", 1},
          {"rms_norm_eps", 1e-05},
          {"rope_scaling", {{"factor", 4.0}, {"type", "linear"}}},
          {"tie_word_embeddings", false},
          {"torch_dtype", "float16"},
          {"transformers_version", "4.31.0"},
          {"use_cache", true},
          {"vocab_size", 32000}};
}

TEST(LlamaConfig, Vicuna16kHasAllItsPositions) {
  json config = vicuna_16k_json();
  const LlamaConfig vicuna = read(config);
  EXPECT_EQ(vicuna.max_position_embeddings, 16384);
  EXPECT_EQ(vicuna.rope_scaling, (RotaryScaling{.type = RotaryScaling::Type::linear, .factor = 4.0}));
  const TemporaryDirectory directory;
  write_llama_config(directory.path(), vicuna, at::kHalf);
  EXPECT_EQ(read_llama_config(directory.path()), vicuna);
  config["max_sequence_length"] = 2048;
  EXPECT_EQ(read(config).max_position_embeddings, 4096);
}

TEST(LlamaConfig, NamesTheFieldsThatItDoesNotKnow) {
  const TemporaryDirectory directory;
  json config = vicuna_16k_json();
  const auto unknown = [&] {
    test::write_file(directory / "config.json", config.dump());
    return unknown_config_fields(directory.path());
  };
  EXPECT_THAT(unknown(), ::testing::IsEmpty());
  config["num_local_experts"] = 8;
  config["a\nb"] = nullptr;
  EXPECT_THAT(unknown(), ::testing::ElementsAre("\"a\\nb\"", "\"num_local_experts\""));
  const auto warning = [&] {
    testing::internal::CaptureStderr();
    warn_of_unknown_config_fields(directory.path());
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(warning(), HasSubstr("config.json: fields that Entune does not know and leaves aside: "
                                   "\"a\\nb\", \"num_local_experts\"; if one"));
  EXPECT_EQ(warning(), "") << "once for a directory";
  for (const std::string& name : preset_names()) {
    write_llama_config(directory.path(), *preset_config(name), at::kBFloat16);
    EXPECT_THAT(unknown_config_fields(directory.path()), ::testing::IsEmpty()) << name;
  }
}

TEST(LlamaConfig, WhatIsWrittenReadsBackEqual) {
  const TemporaryDirectory directory;
  for (const std::string& name : preset_names()) {
    LlamaConfig config = *preset_config(name);
    for (const bool window : {false, true}) {
      if (window && config.model_type != "llama") {
        config.sliding_window = 1000;
      }
      write_llama_config(directory.path(), config, at::kBFloat16);
      EXPECT_EQ(read_llama_config(directory.path()), config) << name;
    }
    config.rope_scaling = {.type = RotaryScaling::Type::linear, .factor = 4.0};
    write_llama_config(directory.path(), config, at::kBFloat16);
    EXPECT_EQ(read_llama_config(directory.path()), config) << name;
  }
}

TEST(Presets, HaveThePublishedNumberOfParameters) {
  const auto parameters = [](const char* name) {
    const LlamaConfig c = *preset_config(name);
    const std::int64_t layer = 2 * c.num_heads * c.head_dim * c.hidden_size +
                               2 * c.num_kv_heads * c.head_dim * c.hidden_size +
                               3 * c.intermediate_size * c.hidden_size + 2 * c.hidden_size +
                               (c.qkv_bias ? (c.num_heads + 2 * c.num_kv_heads) * c.head_dim : 0) +
                               (c.qk_norm ? 2 * c.head_dim : 0);
    return c.num_layers * layer + (c.tie_word_embeddings ? 1 : 2) * c.vocab_size * c.hidden_size + c.hidden_size;
  };
  EXPECT_EQ(parameters("smollm2-135m"), 134'515'008);
  EXPECT_EQ(parameters("llama2-7b"), 6'738'415'616);
  EXPECT_EQ(parameters("mistral-7b"), 7'241'732'096);
  EXPECT_EQ(parameters("llama3-8b"), 8'030'261'248);
  EXPECT_EQ(parameters("llama2-13b"), 13'015'864'320);
  EXPECT_EQ(parameters("codellama-34b"), 33'743'970'304);
  EXPECT_EQ(parameters("yi-34b"), 34'388'917'248);
  EXPECT_EQ(parameters("mistral-7b-v0.3"), 7'248'023'552);
  EXPECT_EQ(parameters("llama3.1-8b"), 8'030'261'248);
  EXPECT_EQ(parameters("qwen2.5-7b"), 7'615'616'512);
  EXPECT_EQ(parameters("qwen2.5-14b"), 14'770'033'664);
  EXPECT_EQ(parameters("qwen2.5-32b"), 32'763'876'352);
  EXPECT_EQ(parameters("qwen3-8b"), 8'190'735'360);
  EXPECT_EQ(parameters("qwen3-14b"), 14'768'307'200);
  EXPECT_EQ(parameters("qwen3-32b"), 32'762'123'264);
  EXPECT_EQ(preset_names().size(), 15U);
  EXPECT_FALSE(preset_config("llama").has_value());
}

}  // namespace
}  // namespace entune
