#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "trainer/weights/hugging_face.h"
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
  config.vocab_size = 10;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_layers = 2;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 4;
  return config;
}

const std::vector<std::string> kAllTargets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                              "gate_proj", "up_proj", "down_proj"};

ModelOptions lora_options(std::int64_t rank = 3, std::vector<std::string> targets = kAllTargets) {
  ModelOptions options;
  options.lora = LoraOptions{.rank = rank, .alpha = 7.5, .dropout = 0.0, .targets = std::move(targets)};
  return options;
}

/// Values that depend on the parameter and the place within the whole tensor alone.
at::Tensor whole_value(const Parameter& parameter) {
  const auto seed = static_cast<double>(std::hash<std::string>{}(parameter.name) % 1000);
  return at::sin(at::arange(c10::multiply_integers(parameter.full_shape), at::kFloat) + seed)
      .view(parameter.full_shape);
}

/// No parameter of these shapes is padded: sizes divide by the ranks.
at::Tensor part_of(const at::Tensor& whole, const Shard& shard) {
  return shard.dim < 0 ? whole : whole.chunk(shard.size, shard.dim)[static_cast<std::size_t>(shard.rank)];
}

void fill(DecoderModel& model) {
  const at::NoGradGuard no_grad;
  for (auto& parameter : model.parameters()) {
    parameter.value.copy_(part_of(whole_value(parameter), parameter.shard));
  }
}

void clear_adapters(DecoderModel& model) {
  const at::NoGradGuard no_grad;
  for (auto& parameter : model.parameters()) {
    if (parameter.is_adapter) {
      parameter.value.fill_(-5);
    }
  }
}

void save_from_one_rank(const std::filesystem::path& directory, const ModelOptions& options) {
  const auto self = make_self_communicator();
  DecoderModel model(tiny_config(), options, *self);
  fill(model);
  save_peft_adapter(directory, model, "some/model", *self);
}

TEST(PeftAdapter, HasPeftsFilesNamesAndFields) {
  const TemporaryDirectory directory;
  save_from_one_rank(directory / "adapter", lora_options(3, {"q_proj", "down_proj"}));
  const json config = json::parse(test::read_file(directory / "adapter" / "adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["task_type"], "CAUSAL_LM");
  EXPECT_EQ(config["base_model_name_or_path"], "some/model");
  EXPECT_EQ(config["r"], 3);
  EXPECT_EQ(config["lora_alpha"], 7.5);
  EXPECT_EQ(config["target_modules"], (json{"q_proj", "down_proj"}));
  EXPECT_EQ(config["bias"], "none");
  EXPECT_EQ(config["use_dora"], false);
  EXPECT_TRUE(config["modules_to_save"].is_null());  // vLLM refuses any other
  EXPECT_TRUE(config["inference_mode"]);

  const SafetensorsReader reader(directory / "adapter" / "adapter_model.safetensors");
  EXPECT_EQ(reader.header().metadata.at("format"), "pt");
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& [name, entry] : reader.header().tensors) {
    EXPECT_EQ(entry.dtype, "F32");
    shapes[name] = entry.shape;
  }
  std::map<std::string, std::vector<std::int64_t>> expected;
  for (const char* layer : {"0", "1"}) {
    const std::string prefix = std::string("base_model.model.model.layers.") + layer;
    expected[prefix + ".self_attn.q_proj.lora_A.weight"] = {3, 16};
    expected[prefix + ".self_attn.q_proj.lora_B.weight"] = {16, 3};
    expected[prefix + ".mlp.down_proj.lora_A.weight"] = {3, 24};
    expected[prefix + ".mlp.down_proj.lora_B.weight"] = {16, 3};
  }
  EXPECT_EQ(shapes, expected);
}

TEST(PeftAdapter, SaysWhatVllmMustBeTold) {
  EXPECT_EQ(vllm_rank_note(16), "");
  EXPECT_EQ(vllm_rank_note(17), "vLLM needs --max-lora-rank 32 for rank 17");
  EXPECT_EQ(vllm_rank_note(257), "vLLM needs --max-lora-rank 320 for rank 257");
  EXPECT_THAT(vllm_rank_note(513), testing::HasSubstr("--to merged"));
}

TEST(PeftAdapter, SavedThenLoadedIsBitEqualAcrossLayouts) {
  const TemporaryDirectory directory;
  const ModelOptions options = lora_options();
  for (const int saving : {1, 2}) {
    const auto path = directory / std::to_string(saving);
    test::spawn_ranks(saving, [&](Communicator& axis) {
      DecoderModel model(tiny_config(), options, axis);
      fill(model);
      save_peft_adapter(path, model, "base", axis);
    });
    for (const int loading : {1, 2}) {
      test::spawn_ranks(loading, [&](Communicator& axis) {
        DecoderModel model(tiny_config(), options, axis);
        fill(model);
        clear_adapters(model);
        load_peft_adapter(path, model);
        std::int64_t adapters = 0;
        for (const auto& parameter : model.parameters()) {
          EXPECT_TRUE(at::equal(parameter.value.detach(), part_of(whole_value(parameter), parameter.shard)))
              << parameter.name << ": saved by " << saving << ", loaded by " << loading;
          adapters += parameter.is_adapter ? 1 : 0;
        }
        EXPECT_EQ(adapters, 2 * 2 * 7);
      });
    }
  }
  // Bytes do not depend on the ranks either.
  EXPECT_EQ(test::read_file(directory / "1" / "adapter_model.safetensors"),
            test::read_file(directory / "2" / "adapter_model.safetensors"));
}

TEST(PeftAdapter, AFailureOfRankZeroEndsEveryRank) {
  const TemporaryDirectory directory;
  test::write_file(directory / "file", "");
  std::atomic<int> failures = 0;
  test::spawn_ranks(2, [&](Communicator& axis) {
    DecoderModel model(tiny_config(), lora_options(), axis);
    fill(model);
    try {
      save_peft_adapter(directory / "file" / "adapter", model, "base", axis);
    } catch (const std::runtime_error&) {
      ++failures;
    }
  });
  EXPECT_EQ(failures, 2);
}

TEST(PeftAdapter, ConfigIsReadAndHeldToWhatIsSupported) {
  const TemporaryDirectory directory;
  const json good = {{"peft_type", "LORA"},
                     {"r", 8},
                     {"lora_alpha", 16},
                     {"lora_dropout", 0.05},
                     {"target_modules", {"v_proj", "q_proj"}},
                     {"modules_to_save", nullptr},
                     {"init_lora_weights", true},
                     {"rank_pattern", json::object()},
                     {"some_new_field", 3}};
  const auto read = [&](const json& config) {
    test::write_file(directory / "adapter_config.json", config.dump());
    return read_peft_config(directory.path());
  };
  const LoraOptions options = read(good);
  EXPECT_EQ(options.rank, 8);
  EXPECT_EQ(options.alpha, 16.0);
  EXPECT_EQ(options.dropout, 0.05);
  EXPECT_THAT(options.targets, ::testing::ElementsAre("q_proj", "v_proj"));

  const std::vector<std::pair<const char*, json>> bad = {{"peft_type", "IA3"},
                                                         {"use_dora", true},
                                                         {"use_rslora", true},
                                                         {"bias", "all"},
                                                         {"modules_to_save", {"lm_head"}},
                                                         {"rank_pattern", {{"q_proj", 4}}},
                                                         {"alpha_pattern", {{"q_proj", 4}}},
                                                         {"init_lora_weights", "pissa"},
                                                         {"layers_to_transform", {0}},
                                                         {"fan_in_fan_out", true},
                                                         {"target_modules", "q_proj"},
                                                         {"target_modules", {"q_proj", "lm_head"}},
                                                         {"target_modules", {"q_proj", "q_proj"}},
                                                         {"target_modules", json::array()},
                                                         {"r", 0},
                                                         {"r", "8"},
                                                         {"lora_alpha", 0},
                                                         {"lora_dropout", 1.5}};
  for (const auto& [field, value] : bad) {
    json config = good;
    config[field] = value;
    EXPECT_THAT(input_error_of([&, &config = config] { read(config); }),
                HasSubstr(std::string("adapter_config.json: ") + field))
        << value;
  }
  for (const char* field : {"r", "lora_alpha", "target_modules"}) {
    json config = good;
    config.erase(field);
    EXPECT_THAT(input_error_of([&] { read(config); }), HasSubstr(std::string(field) + ": expected"));
  }
}

TEST(PeftAdapter, IsCopiedAsItStandsUnlessItIsDamaged) {
  const TemporaryDirectory directory;
  save_from_one_rank(directory / "adapter", lora_options());
  std::filesystem::create_directory(directory / "copy");
  copy_peft_adapter(directory / "adapter", directory / "copy");
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
    EXPECT_EQ(test::read_file(directory / "copy" / name), test::read_file(directory / "adapter" / name)) << name;
  }
  const std::string tensors = test::read_file(directory / "adapter" / "adapter_model.safetensors");
  test::write_file(directory / "adapter" / "adapter_model.safetensors", tensors.substr(0, tensors.size() - 1));
  std::filesystem::create_directory(directory / "damaged");
  EXPECT_THAT(input_error_of([&] { copy_peft_adapter(directory / "adapter", directory / "damaged"); }),
              HasSubstr("adapter_model.safetensors"));
  EXPECT_TRUE(std::filesystem::is_empty(directory / "damaged"));
  test::write_file(directory / "adapter" / "adapter_config.json", "{}");
  EXPECT_THAT(input_error_of([&] { copy_peft_adapter(directory / "adapter", directory / "damaged"); }),
              HasSubstr("adapter_config.json: r: expected"));
}

TEST(PeftAdapter, AConfigurationIsComparedWithoutAModel) {
  const TemporaryDirectory directory;
  save_from_one_rank(directory.path(), lora_options(3, {"q_proj", "o_proj"}));
  const auto error_for = [&](std::int64_t rank, double alpha, std::vector<std::string> targets, double dropout) {
    const LoraOptions options{.rank = rank, .alpha = alpha, .dropout = dropout, .targets = std::move(targets)};
    return input_error_of([&] { expect_peft_config(directory.path(), options); });
  };
  EXPECT_EQ(error_for(3, 7.5, {"o_proj", "q_proj"}, 0.1), "");  // in any order, with a dropout of one's own
  EXPECT_THAT(error_for(2, 7.5, {"q_proj", "o_proj"}, 0),
              HasSubstr("adapter_config.json: expected rank 2, alpha 7.5, targets o_proj, q_proj, found rank 3, alpha "
                        "7.5, targets o_proj, q_proj; set training.lora to what the adapter has"));
  EXPECT_THAT(error_for(3, 8, {"q_proj", "o_proj"}, 0), HasSubstr("expected rank 3, alpha 8"));
  EXPECT_THAT(error_for(3, 7.5, {"q_proj"}, 0), HasSubstr("targets q_proj, found"));
}

TEST(PeftAdapter, RefusesAnotherRankTargetsOrShape) {
  const TemporaryDirectory directory;
  save_from_one_rank(directory.path(), lora_options(3, {"q_proj"}));
  const auto error_for = [&](const ModelOptions& options) {
    const auto self = make_self_communicator();
    DecoderModel model(tiny_config(), options, *self);
    return input_error_of([&] { load_peft_adapter(directory.path(), model); });
  };
  EXPECT_EQ(error_for(lora_options(3, {"q_proj"})), "");
  EXPECT_THAT(error_for(lora_options(4, {"q_proj"})),
              HasSubstr("expected rank 4, alpha 7.5, targets q_proj, found rank 3"));
  EXPECT_THAT(error_for(lora_options(3, {"v_proj"})), HasSubstr("targets v_proj"));
  ModelOptions other_alpha = lora_options(3, {"q_proj"});
  other_alpha.lora->alpha = 16;
  EXPECT_THAT(error_for(other_alpha), HasSubstr("expected rank 3, alpha 16"));

  // A directory whose tensors are not what its configuration says.
  const std::string name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
  std::map<std::string, at::Tensor> tensors;
  {
    const SafetensorsReader reader(directory / "adapter_model.safetensors");
    for (const auto& [key, entry] : reader.header().tensors) {
      tensors[key] = at::zeros(entry.shape);
    }
  }
  const auto error_of = [&](auto change) {
    auto changed = tensors;
    change(changed);
    std::vector<SafetensorsTensor> list;
    for (const auto& [key, tensor] : changed) {
      list.push_back({key, at::kFloat, tensor.sizes().vec()});
    }
    SafetensorsWriter writer(directory / "adapter_model.safetensors", list);
    for (const auto& [key, tensor] : changed) {
      writer.write(key, tensor);
    }
    writer.finish();
    return error_for(lora_options(3, {"q_proj"}));
  };
  EXPECT_THAT(error_of([&](auto& t) { t.erase(name); }), HasSubstr("expected a tensor '" + name + "', found none"));
  EXPECT_THAT(error_of([&](auto& t) { t[name] = at::zeros({3, 17}); }), HasSubstr("expected shape [3, 16]"));
  EXPECT_THAT(error_of([&](auto& t) {
                t["base_model.model.lm_head.lora_A.weight"] = at::zeros({3, 16});
              }),
              HasSubstr("found 'base_model.model.lm_head.lora_A.weight' too"));
}

}  // namespace
}  // namespace entune
