#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "data/tokens/chat_encoder.h"
#include "tests/support/temporary_directory.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/safetensors_reader.h"

namespace entune {
namespace {

const std::vector<TokenId> kIds = {1, 5, 17, 3, 29, 11, 8, 2};

LlamaConfig tiny_config() {
  LlamaConfig config;
  config.vocab_size = 32;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_layers = 2;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 4;
  config.initializer_range = 0.3;  // logits far from uniform
  config.bos_token_id = 1;
  config.eos_token_ids = {2};
  return config;
}

const std::vector<std::string> kAllTargets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                              "gate_proj", "up_proj", "down_proj"};

void fill_adapters(DecoderModel& model, double deviation) {
  const at::NoGradGuard no_grad;
  at::manual_seed(2);
  for (auto& parameter : model.parameters()) {
    if (parameter.is_adapter) {
      parameter.value.normal_(0, deviation);
    }
  }
}

at::Tensor our_logits(DecoderModel& model, const std::vector<TokenId>& ids = kIds) {
  std::vector<std::int64_t> rows(ids.size());
  std::iota(rows.begin(), rows.end(), 0);
  return model.logits(lay_out({ids}, 0), rows);
}

/// The greedy answer, with the end token if it comes within 12 tokens.
std::vector<TokenId> our_answer(DecoderModel& model, const std::vector<TokenId>& ids) {
  const std::vector<std::int64_t>& ends = model.config().eos_token_ids;
  KvCache cache;
  std::vector<TokenId> answer;
  for (at::Tensor logits = model.prefill(lay_out({ids}, 0), 12, cache);;) {
    const at::Tensor next = logits.argmax(-1);
    answer.push_back(static_cast<TokenId>(next.item<std::int64_t>()));
    if (answer.size() == 12 || std::find(ends.begin(), ends.end(), answer.back()) != ends.end()) {
      return answer;
    }
    logits = model.decode(next, cache);
  }
}

/// What we save loads in transformers and PEFT and gives our logits, and the reverse. Needs ENTUNE_PYTHON: a Python
/// with torch, transformers and peft.
class PeftLive : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("ENTUNE_PYTHON") == nullptr) {
      GTEST_SKIP() << "missing: ENTUNE_PYTHON, a Python with torch, transformers and peft";
    }
    DecoderModel base(tiny_config(), {}, *self_);
    base.initialize_random(7);
    save_hugging_face(directory_ / "base", base, {}, *self_);
  }

  /// What peft_logits.py gives. Directories: absolute, or by their names in directory_.
  at::Tensor run_python(const std::string& mode, const std::vector<std::string>& directories,
                        const std::vector<TokenId>& ids) {
    std::string command = fmt::format("'{}' '{}/tests/trainer/weights/peft_logits.py' {}", std::getenv("ENTUNE_PYTHON"),
                                      ENTUNE_SOURCE_DIR, mode);
    for (const auto& name : directories) {
      command += fmt::format(" '{}'", (directory_ / name).string());
    }
    command += fmt::format(" '{}' {} > '{}' 2>&1", (directory_ / "out").string(), fmt::join(ids, " "),
                           (directory_ / "log").string());
    EXPECT_EQ(std::system(command.c_str()), 0) << test::read_file(directory_ / "log");
    const SafetensorsReader reader(directory_ / "out");
    const std::string name = mode == "answer" ? "answer" : "logits";
    at::Tensor values = at::empty(reader.header().tensors.at(name).shape);
    reader.read(name, {}, values);
    return values;
  }

  at::Tensor their_logits(const std::string& mode, const std::vector<std::string>& directories) {
    return run_python(mode, directories, kIds);
  }

  /// The greedy answer, with the end token if it comes within 12 tokens.
  std::vector<TokenId> their_answer(const std::string& directory, const std::vector<TokenId>& ids) {
    const at::Tensor answer = run_python("answer", {directory}, ids).to(at::kInt);
    return {answer.data_ptr<std::int32_t>(), answer.data_ptr<std::int32_t>() + answer.numel()};
  }

  static void expect_close(const at::Tensor& a, const at::Tensor& b) {
    EXPECT_TRUE(at::allclose(a, b, 1e-4, 1e-5)) << "largest difference " << (a - b).abs().max().item<float>();
  }

  const test::TemporaryDirectory directory_;
  const std::unique_ptr<Communicator> self_ = make_self_communicator();
};

TEST_F(PeftLive, WhatWeSaveGivesOurLogitsThere) {
  ModelOptions options;
  options.lora = LoraOptions{.rank = 3, .alpha = 6.0, .dropout = 0.0, .targets = kAllTargets};
  DecoderModel model(tiny_config(), options, *self_);
  load_hugging_face_weights(directory_ / "base", model);
  fill_adapters(model, 0.3);
  save_peft_adapter(directory_ / "adapter", model, "base", *self_);
  save_hugging_face(directory_ / "merged", model, {}, *self_);
  save_hugging_face(directory_ / "sharded", model, {}, *self_, {.max_file_bytes = 4000});
  EXPECT_TRUE(std::filesystem::exists(directory_ / "sharded" / "model.safetensors.index.json"));
  const at::Tensor ours = our_logits(model);
  const at::Tensor without = their_logits("plain", {"base"});
  EXPECT_FALSE(at::allclose(ours, without, 1e-2, 1e-2));  // the adapter matters
  expect_close(their_logits("load", {"base", "adapter"}), ours);
  expect_close(their_logits("plain", {"merged"}), ours);
  expect_close(their_logits("plain", {"sharded"}), ours);
  EXPECT_EQ(their_answer("merged", kIds), our_answer(model, kIds));
}

TEST_F(PeftLive, AnAdapterOfTheRealModelAnswersThereAsHere) {
  const std::filesystem::path base = std::filesystem::path(ENTUNE_SOURCE_DIR) / "models/smollm2-135m-instruct";
  if (!std::filesystem::exists(base / "model.safetensors")) {
    GTEST_SKIP() << "missing: models/smollm2-135m-instruct, which scripts/test.sh makes";
  }
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(base);
  const std::vector<Turn> turns = {{Role::user, "What is the capital of France?"}};
  const std::vector<TokenId> ids = make_chat_encoder("smollm2", *tokenizer)->encode(turns, std::nullopt).ids;
  ModelOptions options;
  options.lora = LoraOptions{.rank = 16, .alpha = 32.0, .dropout = 0.0, .targets = kAllTargets};
  DecoderModel model(read_llama_config(base), options, *self_);
  load_hugging_face_weights(base, model);
  fill_adapters(model, 0.02);
  save_peft_adapter(directory_ / "real-adapter", model, base.string(), *self_);
  save_hugging_face(directory_ / "real-merged", model, base, *self_, {.max_file_bytes = 200'000'000});
  EXPECT_TRUE(std::filesystem::exists(directory_ / "real-merged" / "model.safetensors.index.json"));

  const at::Tensor ours = our_logits(model, ids);
  const auto expect_near = [&](const at::Tensor& theirs) {
    const double difference = (theirs - ours).abs().max().item<double>();
    EXPECT_LT(difference, 1e-4 * ours.abs().max().item<double>());
  };
  EXPECT_GT((run_python("plain", {base.string()}, ids) - ours).abs().max().item<double>(), 0.1);  // the adapter matters
  expect_near(run_python("load", {base.string(), "real-adapter"}, ids));
  expect_near(run_python("plain", {"real-merged"}, ids));
  EXPECT_EQ(their_answer("real-merged", ids), our_answer(model, ids));
}

TEST_F(PeftLive, WhatPeftSavesGivesItsLogitsHere) {
  const at::Tensor theirs = their_logits("create", {"base", "adapter"});
  ModelOptions options;
  options.lora = read_peft_config(directory_ / "adapter");
  EXPECT_EQ(options.lora->rank, 4);
  EXPECT_EQ(options.lora->alpha, 12.0);
  DecoderModel model(tiny_config(), options, *self_);
  load_hugging_face_weights(directory_ / "base", model);
  load_peft_adapter(directory_ / "adapter", model);
  expect_close(our_logits(model), theirs);
}

}  // namespace
}  // namespace entune
