#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

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

at::Tensor our_logits(DecoderModel& model) {
  std::vector<std::int64_t> rows(kIds.size());
  std::iota(rows.begin(), rows.end(), 0);
  return model.logits(lay_out({kIds}, 0), rows);
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

  at::Tensor their_logits(const std::string& mode, const std::vector<std::string>& directories) {
    std::string command = fmt::format("'{}' '{}/tests/trainer/weights/peft_logits.py' {}", std::getenv("ENTUNE_PYTHON"),
                                      ENTUNE_SOURCE_DIR, mode);
    for (const auto& name : directories) {
      command += fmt::format(" '{}'", (directory_ / name).string());
    }
    command += fmt::format(" '{}' {} > '{}' 2>&1", (directory_ / "out").string(), fmt::join(kIds, " "),
                           (directory_ / "log").string());
    EXPECT_EQ(std::system(command.c_str()), 0) << test::read_file(directory_ / "log");
    const SafetensorsReader reader(directory_ / "out");
    at::Tensor logits = at::empty({static_cast<std::int64_t>(kIds.size()), tiny_config().vocab_size});
    reader.read("logits", {}, logits);
    return logits;
  }

  static void expect_close(const at::Tensor& a, const at::Tensor& b) {
    EXPECT_TRUE(at::allclose(a, b, 1e-4, 1e-5)) << "largest difference " << (a - b).abs().max().item<float>();
  }

  const test::TemporaryDirectory directory_;
  const std::unique_ptr<Communicator> self_ = make_self_communicator();
};

TEST_F(PeftLive, WhatWeSaveGivesOurLogitsThere) {
  ModelOptions options;
  options.lora = LoraOptions{.rank = 3,
                             .alpha = 6.0,
                             .dropout = 0.0,
                             .targets = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}};
  DecoderModel model(tiny_config(), options, *self_);
  load_hugging_face_weights(directory_ / "base", model);
  {
    const at::NoGradGuard no_grad;
    at::manual_seed(2);
    for (auto& parameter : model.parameters()) {
      if (parameter.is_adapter) {
        parameter.value.normal_(0, 0.3);
      }
    }
  }
  save_peft_adapter(directory_ / "adapter", model, "base", *self_);
  save_hugging_face(directory_ / "merged", model, {}, *self_);
  const at::Tensor ours = our_logits(model);
  const at::Tensor without = their_logits("plain", {"base"});
  EXPECT_FALSE(at::allclose(ours, without, 1e-2, 1e-2));  // the adapter matters
  expect_close(their_logits("load", {"base", "adapter"}), ours);
  expect_close(their_logits("plain", {"merged"}), ours);
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
