#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "data/tokens/chat_encoder.h"
#include "tests/support/temporary_directory.h"
#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/weights/read_tensor.h"
#include "trainer/weights/gguf_import.h"
#include "trainer/weights/hugging_face.h"

namespace entune {
namespace {

/// The real model's GGUF file: ENTUNE_SMOLLM2_GGUF, or in models/ of the checkout; empty if there is none.
std::filesystem::path find_gguf() {
  if (const char* path = std::getenv("ENTUNE_SMOLLM2_GGUF")) {
    return path;
  }
  const std::filesystem::path models = std::filesystem::path(ENTUNE_SOURCE_DIR) / "models";
  if (std::filesystem::is_directory(models)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(models)) {
      if (entry.path().extension() == ".gguf" &&
          entry.path().filename().string().starts_with("SmolLM2-135M-Instruct")) {
        return entry.path();
      }
    }
  }
  return {};
}

std::vector<TokenId> answer_greedily(DecoderModel& model, const ChatEncoder& chat, const std::vector<TokenId>& prompt) {
  const std::vector<TokenId> stop = chat.stop_ids();
  std::vector<TokenId> answer;
  KvCache cache;
  at::Tensor logits = model.prefill(lay_out({prompt}, 0), 20, cache);
  while (answer.size() < 20) {
    const at::Tensor next = logits.argmax(-1);
    answer.push_back(static_cast<TokenId>(next.item<std::int64_t>()));
    if (std::find(stop.begin(), stop.end(), answer.back()) != stop.end()) {
      break;
    }
    logits = model.decode(next, cache);
  }
  return answer;
}

/// Against transformers (make_smollm2_logits.py describes the file).
void expect_golden_logits(DecoderModel& model) {
  const SafetensorsReader file(std::filesystem::path(ENTUNE_SOURCE_DIR) /
                               "tests/trainer/weights/golden/smollm2_logits.safetensors");
  const std::vector<std::int64_t> ids = test::read_integers(file, "ids");
  const at::Tensor logits = model.logits(lay_out({std::vector<TokenId>(ids.begin(), ids.end())}, 0), test::read_integers(file, "rows"));
  test::expect_close(logits.slice(1, 0, std::nullopt, 64), test::read_tensor(file, "logits"), 1e-4, "logits");
  test::expect_close(logits.logsumexp(-1), test::read_tensor(file, "log_sum_exp"), 1e-5, "log-sum-exp");
}

TEST(SmolLm2, ImportedItTokenizesAndAnswersAsThePublishedModel) {
  const std::filesystem::path gguf = find_gguf();
  if (gguf.empty()) {
    GTEST_SKIP() << "missing: SmolLM2-135M-Instruct*.gguf; set ENTUNE_SMOLLM2_GGUF or put it into models/";
  }
  const test::TemporaryDirectory directory;
  import_gguf(gguf, directory / "model");
  const auto tokenizer = load_tokenizer(directory / "model");
  EXPECT_THAT(tokenizer->encode("Hello John, call 555-1234"),
              ::testing::ElementsAre(19556, 2322, 28, 946, 216, 37, 37, 37, 29, 33, 34, 35, 36));

  const auto self = make_self_communicator();
  DecoderModel model(read_llama_config(directory / "model"), {}, *self);
  load_hugging_face_weights(directory / "model", model);
  std::int64_t num_parameters = 0;
  for (const auto& parameter : model.parameters()) {
    num_parameters += parameter.value.numel();
  }
  EXPECT_EQ(num_parameters, 134'515'008);
  const auto chat = make_chat_encoder("smollm2", *tokenizer);
  const std::vector<Turn> turns = {{Role::user, "What is the capital of France?"}};
  const auto answer = answer_greedily(model, *chat, chat->encode(turns, std::nullopt).ids);
  EXPECT_EQ(tokenizer->decode(answer), "The capital of France is Paris.");
  EXPECT_EQ(answer.back(), tokenizer->control_id("<|im_end|>"));
  expect_golden_logits(model);
}

}  // namespace
}  // namespace entune
