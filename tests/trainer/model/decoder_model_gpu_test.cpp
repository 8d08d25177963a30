// The model on a GPU against itself on the CPU. Skipped without a GPU.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "distributed/cuda_devices.h"
#include "distributed/parameter_buckets.h"
#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/model/small_models.h"
#include "trainer/generate/generator.h"
#include "trainer/generate/token_choice.h"
#include "trainer/optim/adamw.h"

namespace entune::test {
namespace {

class ModelOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (visible_gpus().empty()) GTEST_SKIP() << "missing: a GPU";
  }
  const std::unique_ptr<Communicator> self_ = make_self_communicator();
};

LlamaConfig wider_config() {
  LlamaConfig c = small_config();
  c.hidden_size = 48;
  c.head_dim = 8;  // that the flash operators take
  return c;
}

TEST_F(ModelOnGpu, GivesTheLossAndEveryGradientOfTheCpu) {
  const std::vector<Sequence> sequences = make_sequences(9, {14, 11, 20}, wider_config().vocab_size);
  for (const bool full : {false, true}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      for (const bool checkpointing : {false, true}) {
        SCOPED_TRACE(testing::Message() << (full ? "full " : "lora ") << c10::toString(dtype) << checkpointing);
        ModelOptions options = full ? full_training() : lora_training();
        options.dtype = dtype;
        if (checkpointing) options.checkpointing = ActivationCheckpointing::full;
        const auto here = make_model(wider_config(), options, *self_);
        options.device = at::Device(at::kCUDA, 0);
        const auto there = make_model(wider_config(), options, *self_);
        const PackedBatch batch = pack(sequences, 9, 5, 0.25F);
        const LossAndGradients expected = run(*here, {batch}), found = run(*there, {batch});
        const double tolerance = dtype == at::kFloat ? 1e-4 : 5e-2;
        EXPECT_NEAR(found.loss, expected.loss, tolerance * std::abs(expected.loss));
        ASSERT_EQ(found.gradients.size(), expected.gradients.size());
        for (const auto& [name, gradient] : expected.gradients) {
          expect_close(found.gradients.at(name).cpu(), gradient, tolerance, name);
        }
      }
    }
  }
}

TEST_F(ModelOnGpu, TrainsAsTheCpuDoes) {
  const std::vector<Sequence> sequences = make_sequences(9, {14, 11, 20}, wider_config().vocab_size);
  const PackedBatch batch = pack(sequences, 9, 5, 0.25F);
  std::vector<std::vector<double>> losses;
  for (const at::Device device : {at::Device(at::kCPU), at::Device(at::kCUDA, 0)}) {
    ModelOptions options = lora_training();
    options.device = device;
    const auto model = make_model(wider_config(), options, *self_);
    std::vector<BucketedParameter> parameters;
    for (const at::Tensor& parameter : model->trainable_parameters()) parameters.push_back({parameter});
    ParameterBuckets buckets(parameters, *self_, {});
    AdamW optimizer({{buckets.parts()[0].value, buckets.parts()[0].gradient}}, {});
    losses.emplace_back();
    for (int step = 0; step < 5; ++step) {
      buckets.zero_gradients();
      const at::Tensor loss = model->loss_sum(batch);
      loss.backward();
      losses.back().push_back(loss.item<double>());
      optimizer.step(1e-2, 1.0);
    }
  }
  for (std::size_t i = 0; i < losses[0].size(); ++i) EXPECT_NEAR(losses[1][i], losses[0][i], 1e-3 * losses[0][i]) << i;
  EXPECT_LT(losses[0].back(), losses[0].front());
}

/// decode() replays recorded graphs; decode_step() on the rows that are held is the same work, launched one by one.
TEST_F(ModelOnGpu, ReplayedDecodingIsTheStep) {
  constexpr std::int64_t kSteps = 10;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    ModelOptions options = lora_training();
    options.dtype = dtype;
    options.device = at::Device(at::kCUDA, 0);
    const auto model = make_model(wider_config(), options, *self_);
    model->set_training(false);
    for (const std::int64_t prefix : {std::int64_t{9}, std::int64_t{0}, std::int64_t{9}}) {
      SCOPED_TRACE(testing::Message() << c10::toString(dtype) << ", prefix " << prefix);
      const PackedBatch batch =
          pack(make_sequences(prefix, {14, 11, 20, 10, 12}, wider_config().vocab_size), prefix, 1, 0.0F);
      KvCache replayed, stepped;
      at::Tensor logits = model->prefill(batch, kSteps, replayed);
      model->prefill(batch, kSteps, stepped);
      for (std::int64_t step = 0; step < kSteps; ++step) {
        at::Tensor next = logits.argmax(-1);
        if (step == 4) {
          const at::Tensor rows = at::tensor({3, 0}, at::kLong);
          replayed.keep(rows);
          stepped.keep(rows);
          next = next.index_select(0, rows.to(next.device()));
        }
        const at::Tensor expected = model->decode_step(next, stepped.first_rows(stepped.longest + 1));
        stepped.lengths = stepped.lengths.add(1);
        ++stepped.longest;
        logits = model->decode(next, replayed);
        expect_close(logits, expected, dtype == at::kFloat ? 1e-5 : 2e-2, "logits");
      }
      EXPECT_NE(replayed.place, nullptr);
    }
  }
}

TEST_F(ModelOnGpu, GivesTheSameBitsTwiceInDeterministicMode) {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);  // libtorch refuses deterministic products without it
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  const PackedBatch batch = pack(make_sequences(9, {14, 11, 20}, wider_config().vocab_size), 9, 5, 0.25F);
  std::vector<LossAndGradients> results;
  for (int i = 0; i < 2; ++i) {
    ModelOptions options = lora_training();
    options.dtype = at::kBFloat16;
    options.device = at::Device(at::kCUDA, 0);
    const auto model = make_model(wider_config(), options, *self_);
    results.push_back(run(*model, {batch}));
  }
  at::globalContext().setDeterministicAlgorithms(false, /*warn_only=*/false);
  EXPECT_EQ(results[0].loss, results[1].loss);
  for (const auto& [name, gradient] : results[0].gradients) {
    EXPECT_TRUE(at::equal(gradient, results[1].gradients.at(name))) << name;
  }
}

TEST_F(ModelOnGpu, AnswersAsTheCpuDoes) {
  std::vector<GenerationRequest> requests;
  for (const Sequence& s : make_sequences(9, {14, 11, 20}, wider_config().vocab_size)) {
    requests.push_back({.ids = {s.begin(), s.end()}, .max_new_tokens = 12});
  }
  std::vector<std::vector<GeneratedAnswer>> answers;
  for (const at::Device device : {at::Device(at::kCPU), at::Device(at::kCUDA, 0)}) {
    ModelOptions options = lora_training();
    options.device = device;
    const auto model = make_model(wider_config(), options, *self_);
    model->set_training(false);
    Generator generator(*model, {0}, {});
    answers.push_back(generator.generate(requests));
  }
  for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(answers[1][i].ids, answers[0][i].ids) << i;
}

TEST_F(ModelOnGpu, DraftsChangeNoAnswer) {
  std::vector<GenerationRequest> requests;
  for (const Sequence& s : make_sequences(9, {14, 11, 20}, wider_config().vocab_size)) {
    requests.push_back({.ids = {s.begin(), s.end()}, .max_new_tokens = 30});
  }
  ModelOptions options = lora_training();
  options.device = at::Device(at::kCUDA, 0);
  const auto model = make_model(wider_config(), options, *self_);
  model->set_training(false);
  Generator plain(*model, {0}, {});
  const std::vector<GeneratedAnswer> expected = plain.generate(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    // Right but for every seventh token.
    requests[i].draft = [right = expected[i].ids](std::span<const TokenId> written, std::size_t most) {
      std::vector<TokenId> proposed;
      for (std::size_t at = written.size(); at < right.size() && proposed.size() < most; ++at)
        proposed.push_back(at % 7 == 6 ? right[at] ^ 1 : right[at]);
      return proposed;
    };
  }
  Generator drafted(*model, {0}, {});
  const std::vector<GeneratedAnswer> answers = drafted.generate(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(answers[i].ids, expected[i].ids) << i;
  EXPECT_LT(2 * drafted.stats().forward_passes, plain.stats().forward_passes);
}

TEST_F(ModelOnGpu, ChoosesAmongCandidatesAsTheCpuDoes) {
  const at::Tensor logits = at::randn({3, 200});
  const std::vector<TokenId> few = {4}, some = {0, 9, 17, 199};
  std::vector<TokenId> all(200);
  for (TokenId i = 0; i < 200; ++i) all[static_cast<std::size_t>(i)] = i;
  const std::vector<std::span<const TokenId>> candidates = {few, some, all};
  EXPECT_EQ(choose_tokens(logits.cuda(), candidates), choose_tokens(logits, candidates));
  EXPECT_EQ(choose_tokens(logits.cuda(), {}), choose_tokens(logits, {}));
}

}  // namespace
}  // namespace entune::test
