#include "trainer/weights/hugging_face.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/thread_communicator.h"
#include "tests/support/temporary_directory.h"
#include "trainer/weights/safetensors_reader.h"
#include "trainer/weights/safetensors_writer.h"

namespace entune {
namespace {

using nlohmann::json;
using test::input_error_of;
using test::TemporaryDirectory;
using ::testing::HasSubstr;

LlamaConfig tiny_config() {
  LlamaConfig config;
  config.vocab_size = 11;  // does not divide by 2: the last rank's part is padded, and the padding never written
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_layers = 2;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 4;
  config.rope_theta = 20000.0;
  config.max_position_embeddings = 64;
  config.bos_token_id = 1;
  config.eos_token_ids = {2};
  return config;
}

/// Parameters of every kind: with biases that are cut, and with norms that are not.
std::vector<LlamaConfig> tiny_configs() {
  LlamaConfig qwen2 = tiny_config(), qwen3 = tiny_config();
  qwen2.model_type = "qwen2";
  qwen2.qkv_bias = true;
  qwen3.model_type = "qwen3";
  qwen3.qk_norm = true;
  return {tiny_config(), qwen2, qwen3};
}

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
  for (const LlamaConfig& config : tiny_configs()) {
    const TemporaryDirectory directory;
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
                HasSubstr("\"model.norm.weight\": expected the name of a file in the same directory"))
        << file;
  }
  EXPECT_THAT(error_with_file("a.safetensors"), HasSubstr("expected tensor \"model.norm.weight\""));  // it lies in b
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

TEST(LoadHuggingFace, EachRankComparesATiedHeadInItsRowsAlone) {
  const TemporaryDirectory directory;
  LlamaConfig config = tiny_config();
  config.tie_word_embeddings = true;
  Tensors weights = random_weights(config, at::kFloat);
  weights["lm_head.weight"] = weights.at("model.embed_tokens.weight").clone();
  for (const std::int64_t row : {0, 5, 6, 10}) {  // rank 0 of 2 holds six of the eleven rows
    weights["lm_head.weight"][row] += 1;
    write_weights(directory / "model.safetensors", weights);
    weights["lm_head.weight"][row] = weights.at("model.embed_tokens.weight")[row];
    test::spawn_ranks(2, [&](Communicator& axis) {
      DecoderModel model(config, full_options(), axis);
      const std::string error = input_error_of([&] { load_hugging_face_weights(directory.path(), model); });
      EXPECT_EQ(error.empty(), axis.rank() != (row < 6 ? 0 : 1))
          << "row " << row << ", rank " << axis.rank() << ": " << error;
    });
  }
}

TEST(SaveHuggingFace, WhatIsSavedLoadsBitEqualWhateverTheRanks) {
  for (const auto& [config, dtype] : {std::pair(tiny_configs()[0], at::kFloat), std::pair(tiny_configs()[0], at::kBFloat16),
                                      std::pair(tiny_configs()[1], at::kFloat), std::pair(tiny_configs()[2], at::kFloat)}) {
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
      EXPECT_EQ(read_llama_config(target / "out"), config);
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
