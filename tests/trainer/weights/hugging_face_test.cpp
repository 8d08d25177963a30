#include "trainer/weights/hugging_face.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/thread_communicator.h"
#include "tests/support/temporary_directory.h"
#include "trainer/weights/presets.h"
#include "trainer/weights/safetensors_reader.h"
#include "trainer/weights/safetensors_writer.h"

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
  EXPECT_THAT(error_with("model_type", "qwen2"), HasSubstr("model_type: expected llama or mistral, found 'qwen2'"));
  EXPECT_THAT(error_with("architectures", {"LlamaForSequenceClassification"}), HasSubstr("architectures"));
  EXPECT_THAT(error_with("attention_bias", true), HasSubstr("attention_bias"));
  EXPECT_THAT(error_with("mlp_bias", true), HasSubstr("mlp_bias"));
  EXPECT_THAT(error_with("hidden_act", "gelu"), HasSubstr("hidden_act: expected silu, found 'gelu'"));
  EXPECT_THAT(error_with("rope_scaling", {{"type", "linear"}, {"factor", 4.0}}), HasSubstr("rope_scaling.type"));
  EXPECT_THAT(error_with("rope_scaling", {{"rope_type", "llama3"}}), HasSubstr("rope_scaling.rope_type"));
  EXPECT_THAT(error_with("rope_parameters", {{"rope_type", "yarn"}}), HasSubstr("rope_parameters.rope_type"));
  EXPECT_THAT(error_with("rope_parameters", {{"partial_rotary_factor", 0.5}}), HasSubstr("partial_rotary_factor"));
  EXPECT_THAT(error_with("quantization_config", json::object()), HasSubstr("quantization_config"));
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

  const TemporaryDirectory directory;
  const auto error = [&](const std::string& text) {
    test::write_file(directory / "config.json", text);
    return input_error_of([&] { read_llama_config(directory.path()); });
  };
  EXPECT_THAT(input_error_of([&] { read_llama_config(directory.path()); }),
              HasSubstr("config.json: expected a readable file"));
  EXPECT_THAT(error("{\"a\":"), HasSubstr("valid JSON"));
  EXPECT_THAT(error("[]"), HasSubstr("a JSON object, found array"));
  EXPECT_THAT(error(R"({"hidden_size":1,"hidden_size":2})"), HasSubstr("'hidden_size' twice"));
  EXPECT_THAT(error("{\"a\":" + std::string(100'000, '[')), HasSubstr("nested at most"));
}

void expect_equal(const LlamaConfig& a, const LlamaConfig& b) {
  EXPECT_EQ(std::tie(a.model_type, a.vocab_size, a.hidden_size, a.intermediate_size, a.num_layers, a.num_heads,
                     a.num_kv_heads, a.head_dim),
            std::tie(b.model_type, b.vocab_size, b.hidden_size, b.intermediate_size, b.num_layers, b.num_heads,
                     b.num_kv_heads, b.head_dim));
  EXPECT_EQ(std::tie(a.rms_norm_eps, a.rope_theta, a.max_position_embeddings, a.sliding_window, a.tie_word_embeddings,
                     a.initializer_range, a.bos_token_id, a.eos_token_ids, a.pad_token_id),
            std::tie(b.rms_norm_eps, b.rope_theta, b.max_position_embeddings, b.sliding_window, b.tie_word_embeddings,
                     b.initializer_range, b.bos_token_id, b.eos_token_ids, b.pad_token_id));
}

TEST(LlamaConfig, WhatIsWrittenReadsBackEqual) {
  const TemporaryDirectory directory;
  for (const std::string& name : preset_names()) {
    LlamaConfig config = *preset_config(name);
    if (config.model_type == "mistral") {
      config.sliding_window = 4096;
    }
    write_llama_config(directory.path(), config, at::kBFloat16);
    expect_equal(read_llama_config(directory.path()), config);
  }
}

TEST(Presets, HaveThePublishedNumberOfParameters) {
  const auto parameters = [](const char* name) {
    const LlamaConfig c = *preset_config(name);
    const std::int64_t layer = 2 * c.num_heads * c.head_dim * c.hidden_size +
                               2 * c.num_kv_heads * c.head_dim * c.hidden_size +
                               3 * c.intermediate_size * c.hidden_size + 2 * c.hidden_size;
    return c.num_layers * layer + (c.tie_word_embeddings ? 1 : 2) * c.vocab_size * c.hidden_size + c.hidden_size;
  };
  EXPECT_EQ(parameters("smollm2-135m"), 134'515'008);
  EXPECT_EQ(parameters("llama2-7b"), 6'738'415'616);
  EXPECT_EQ(parameters("mistral-7b"), 7'241'732'096);
  EXPECT_EQ(parameters("llama3-8b"), 8'030'261'248);
  EXPECT_EQ(parameters("llama2-13b"), 13'015'864'320);
  EXPECT_EQ(parameters("codellama-34b"), 33'743'970'304);
  EXPECT_EQ(parameters("yi-34b"), 34'388'917'248);
  EXPECT_EQ(preset_names().size(), 7U);
  EXPECT_FALSE(preset_config("llama").has_value());
}

LlamaConfig tiny_config() { return read(tiny_json()); }

ModelOptions full_options(at::ScalarType dtype = at::kFloat) {
  ModelOptions options;
  options.dtype = dtype;
  options.train_base = true;
  return options;
}

/// Each parameter's part of a whole tensor, by the definition of Shard.
at::Tensor part_of(const at::Tensor& whole, const Shard& shard) {
  if (shard.dim < 0) {
    return whole;
  }
  const std::int64_t full = whole.size(shard.dim);
  at::Tensor part = whole.narrow(shard.dim, shard.begin(full), shard.end(full) - shard.begin(full));
  std::vector<std::int64_t> padding(static_cast<std::size_t>(2 * (whole.dim() - shard.dim)), 0);
  padding.back() = shard.part(full) - part.size(shard.dim);
  return at::constant_pad_nd(part, padding);
}

using Tensors = std::map<std::string, at::Tensor>;

Tensors random_weights(const LlamaConfig& config, at::ScalarType dtype) {
  const auto self = make_self_communicator();
  DecoderModel model(config, full_options(), *self);
  at::manual_seed(3);
  Tensors weights;
  for (const auto& parameter : model.parameters()) {
    weights[parameter.name] = at::randn(parameter.full_shape).to(dtype);
  }
  return weights;
}

void write_weights(const std::filesystem::path& path, const Tensors& weights) {
  std::vector<SafetensorsTensor> tensors;
  for (const auto& [name, tensor] : weights) {
    tensors.push_back({name, tensor.scalar_type(), tensor.sizes().vec()});
  }
  SafetensorsWriter writer(path, tensors);
  for (const auto& [name, tensor] : weights) {
    writer.write(name, tensor);
  }
  writer.finish();
}

std::string load_error(const std::filesystem::path& directory, const LlamaConfig& config) {
  const auto self = make_self_communicator();
  DecoderModel model(config, full_options(), *self);
  return input_error_of([&] { load_hugging_face_weights(directory, model); });
}

TEST(LoadHuggingFace, EachRankGetsItsPartOfEveryTensor) {
  const TemporaryDirectory directory;
  const LlamaConfig config = tiny_config();
  const Tensors weights = random_weights(config, at::kBFloat16);
  write_weights(directory / "model.safetensors", weights);
  for (const int ranks : {1, 2}) {
    test::spawn_ranks(ranks, [&](Communicator& axis) {
      DecoderModel model(config, full_options(), axis);
      std::int64_t last = 0, all = -1;
      load_hugging_face_weights(directory.path(), model, [&](std::int64_t done, std::int64_t total) {
        last = done;
        all = total;
      });
      EXPECT_EQ(last, all);
      EXPECT_GT(all, 0);
      for (const auto& parameter : model.parameters()) {
        const at::Tensor expected = part_of(weights.at(parameter.name).to(at::kFloat), parameter.shard);
        EXPECT_TRUE(at::equal(parameter.value.detach(), expected))
            << parameter.name << " rank " << axis.rank() << " of " << ranks;
      }
    });
  }
}

/// The weights in two shards with an index.
json write_shards(const std::filesystem::path& directory, const Tensors& weights) {
  Tensors parts[2];
  json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", json::object()}};
  for (const auto& [name, tensor] : weights) {
    const int part = parts[0].size() < weights.size() / 2 ? 0 : 1;
    parts[part][name] = tensor;
    index["weight_map"][name] = part == 0 ? "a.safetensors" : "b.safetensors";
  }
  write_weights(directory / "a.safetensors", parts[0]);
  write_weights(directory / "b.safetensors", parts[1]);
  test::write_file(directory / "model.safetensors.index.json", index.dump());
  return index;
}

TEST(LoadHuggingFace, ReadsShardsByTheirIndex) {
  const TemporaryDirectory directory;
  const LlamaConfig config = tiny_config();
  const Tensors weights = random_weights(config, at::kFloat);
  write_shards(directory.path(), weights);
  const auto self = make_self_communicator();
  DecoderModel model(config, full_options(), *self);
  load_hugging_face_weights(directory.path(), model);
  for (const auto& parameter : model.parameters()) {
    EXPECT_TRUE(at::equal(parameter.value.detach(), weights.at(parameter.name))) << parameter.name;
  }
}

TEST(LoadHuggingFace, RefusesAnIndexThatLeadsElsewhere) {
  const TemporaryDirectory directory;
  const LlamaConfig config = tiny_config();
  std::filesystem::create_directory(directory / "model");
  const json index = write_shards(directory / "model", random_weights(config, at::kFloat));
  std::filesystem::copy(directory / "model" / "a.safetensors", directory / "a.safetensors");
  const auto error_with_file = [&](const json& file) {
    json changed = index;
    changed["weight_map"]["model.norm.weight"] = file;
    test::write_file(directory / "model" / "model.safetensors.index.json", changed.dump());
    return load_error(directory / "model", config);
  };
  for (const json& file :
       {json("../a.safetensors"), json((directory / "a.safetensors").string()), json("x/a.safetensors"), json(""),
        json(".."), json("a\\b"), json(std::string("a\0b", 3)), json(7)}) {
    EXPECT_THAT(error_with_file(file),
                HasSubstr("'model.norm.weight': expected the name of a file in the same directory"))
        << file;
  }
  EXPECT_THAT(error_with_file("a.safetensors"), HasSubstr("expected tensor 'model.norm.weight'"));  // it lies in b
  EXPECT_THAT(error_with_file("none.safetensors"), HasSubstr("none.safetensors: expected a readable file"));
  EXPECT_EQ(error_with_file("b.safetensors"), "");
  json shorter = index;
  shorter["weight_map"].erase("model.norm.weight");
  test::write_file(directory / "model" / "model.safetensors.index.json", shorter.dump());
  EXPECT_THAT(load_error(directory / "model", config), HasSubstr("b.safetensors: expected only tensors that"));
}

TEST(LoadHuggingFace, RefusesMissingMisshapenAndExtraTensorsByName) {
  const TemporaryDirectory directory;
  const LlamaConfig config = tiny_config();
  const Tensors weights = random_weights(config, at::kFloat);
  EXPECT_THAT(load_error(directory.path(), config), HasSubstr("found neither"));
  const auto error_of = [&](auto change) {
    Tensors changed = weights;
    change(changed);
    write_weights(directory / "model.safetensors", changed);
    return load_error(directory.path(), config);
  };
  EXPECT_THAT(
      error_of([](Tensors& t) { t.erase("model.layers.1.mlp.up_proj.weight"); }),
      HasSubstr(
          "model.safetensors: expected tensor 'model.layers.1.mlp.up_proj.weight' of shape [24, 16], found none"));
  EXPECT_THAT(error_of([](Tensors& t) { t["model.norm.weight"] = at::ones({17}); }),
              HasSubstr("'model.norm.weight': expected shape [16] by the configuration, found [17]"));
  EXPECT_THAT(error_of([](Tensors& t) { t["model.layers.0.self_attn.q_proj.bias"] = at::ones({16}); }),
              HasSubstr("found 'model.layers.0.self_attn.q_proj.bias' too"));
  EXPECT_THAT(error_of([](Tensors& t) { t["model.norm.weight"] = at::ones({16}, at::kLong); }), HasSubstr("found I64"));
  EXPECT_EQ(error_of([](Tensors& t) { t["model.layers.0.self_attn.rotary_emb.inv_freq"] = at::ones({2}); }), "");
}

TEST(LoadHuggingFace, ATiedHeadMayBeStoredTwiceIfItIsTheEmbedding) {
  const TemporaryDirectory directory;
  LlamaConfig config = tiny_config();
  config.tie_word_embeddings = true;
  Tensors weights = random_weights(config, at::kFloat);
  ASSERT_FALSE(weights.contains("lm_head.weight"));
  weights["lm_head.weight"] = weights.at("model.embed_tokens.weight");
  write_weights(directory / "model.safetensors", weights);
  EXPECT_EQ(load_error(directory.path(), config), "");
  weights["lm_head.weight"] = weights.at("model.embed_tokens.weight") + 1;
  write_weights(directory / "model.safetensors", weights);
  EXPECT_THAT(load_error(directory.path(), config), HasSubstr("'lm_head.weight': expected the embedding's values"));
}

TEST(SaveHuggingFace, WhatIsSavedLoadsBitEqualWhateverTheRanks) {
  const LlamaConfig config = tiny_config();
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const TemporaryDirectory source, target;
    const Tensors weights = random_weights(config, dtype);
    write_weights(source / "model.safetensors", weights);
    test::write_file(source / "tokenizer.json", "{}");
    for (const int ranks : {1, 2}) {
      test::spawn_ranks(ranks, [&](Communicator& axis) {
        DecoderModel model(config, full_options(dtype), axis);
        load_hugging_face_weights(source.path(), model);
        save_hugging_face(target / "out", model, source.path(), axis);
      });
      EXPECT_EQ(test::read_file(target / "out" / "model.safetensors"), test::read_file(source / "model.safetensors"));
      EXPECT_EQ(test::read_file(target / "out" / "tokenizer.json"), "{}");
      expect_equal(read_llama_config(target / "out"), config);
    }
  }
}

TEST(SaveHuggingFace, AdaptersAreMerged) {
  const LlamaConfig config = tiny_config();
  const Tensors weights = random_weights(config, at::kFloat);
  ModelOptions options;
  options.lora =
      LoraOptions{.rank = 3, .alpha = 6.0, .dropout = 0.0, .targets = {"q_proj", "o_proj", "up_proj", "down_proj"}};
  for (const int ranks : {1, 2}) {
    const TemporaryDirectory source, target;
    write_weights(source / "model.safetensors", weights);
    Tensors factors;
    {
      const auto self = make_self_communicator();
      DecoderModel model(config, options, *self);
      at::manual_seed(9);
      for (const auto& parameter : model.parameters()) {
        if (parameter.is_adapter) {
          factors[parameter.name] = at::randn(parameter.full_shape);
        }
      }
    }
    test::spawn_ranks(ranks, [&](Communicator& axis) {
      const at::NoGradGuard no_grad;
      DecoderModel model(config, options, axis);
      load_hugging_face_weights(source.path(), model);
      for (auto& parameter : model.parameters()) {
        if (parameter.is_adapter) {
          parameter.value.copy_(part_of(factors.at(parameter.name), parameter.shard));
        }
      }
      save_hugging_face(target.path(), model, {}, axis);
    });
    const SafetensorsReader reader(target / "model.safetensors");
    EXPECT_EQ(reader.header().tensors.size(), weights.size());
    for (const auto& [name, weight] : weights) {
      at::Tensor expected = weight;
      const std::string stem = name.substr(0, name.size() - std::string_view("weight").size());
      if (factors.contains(stem + "lora_A.weight")) {
        expected = weight + 2.0 * at::mm(factors.at(stem + "lora_B.weight"), factors.at(stem + "lora_A.weight"));
      }
      at::Tensor saved = at::empty(weight.sizes());
      reader.read(name, {}, saved);
      EXPECT_TRUE(at::allclose(saved, expected, 1e-6, 1e-6)) << name;
    }
  }
}

}  // namespace
}  // namespace entune
