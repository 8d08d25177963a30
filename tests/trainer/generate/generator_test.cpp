#include "trainer/generate/generator.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "data/random.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

/// A random model small enough to be run once a token. Its logits are spread widely, so that near-ties don't decide.
class SmallModel {
 public:
  explicit SmallModel(std::uint64_t seed) : group_(make_self_communicator()) {
    LlamaConfig config;
    config.vocab_size = 40;
    config.hidden_size = 32;
    config.intermediate_size = 48;
    config.num_layers = 2;
    config.num_heads = 4;
    config.num_kv_heads = 2;
    config.head_dim = 8;
    config.initializer_range = 0.6;
    model_ = std::make_unique<DecoderModel>(config, ModelOptions{}, *group_);
    model_->initialize_random(seed);
    model_->set_training(false);
  }
  DecoderModel& operator*() { return *model_; }

 private:
  std::unique_ptr<Communicator> group_;
  std::unique_ptr<DecoderModel> model_;
};

/// Greedy decoding as it is defined: the whole conversation anew for every token.
GeneratedAnswer recompute(DecoderModel& model, const GenerationRequest& request, const std::vector<TokenId>& stop_ids) {
  GeneratedAnswer answer;
  std::vector<TokenId> ids = request.ids;
  while (true) {
    const at::Tensor logits = model.logits(lay_out({ids}, 0), {static_cast<std::int64_t>(ids.size()) - 1});
    const auto next = static_cast<TokenId>(logits.argmax(1).item<std::int64_t>());
    if (std::find(stop_ids.begin(), stop_ids.end(), next) != stop_ids.end()) return answer;
    answer.ids.push_back(next);
    ids.push_back(next);
    if (static_cast<std::int64_t>(answer.ids.size()) == request.max_new_tokens) {
      answer.hit_max_tokens = true;
      return answer;
    }
  }
}

std::vector<GenerationRequest> random_requests(std::size_t count, std::int64_t prefix, std::uint64_t seed) {
  Random random(seed);
  std::vector<TokenId> instructions;
  for (std::int64_t i = 0; i < prefix; ++i) instructions.push_back(static_cast<TokenId>(random.below(40)));
  std::vector<GenerationRequest> requests(count);
  for (GenerationRequest& request : requests) {
    request.ids = instructions;
    for (std::int64_t i = random.between(1, 9); i > 0; --i)
      request.ids.push_back(static_cast<TokenId>(random.below(40)));
    request.max_new_tokens = random.between(1, 14);
  }
  return requests;
}

TEST(PlanGeneration, FillsBatchesByHand) {
  const std::vector<GenerationRequest> requests = {{{1, 2, 3}, 2}, {{1, 2, 4, 5, 6}, 2}, {{1, 2, 4, 7}, 2}, {{9}, 1}};
  const std::vector<GenerationBatch> batches = plan_generation(requests, 11);
  ASSERT_THAT(batches, SizeIs(2));
  EXPECT_THAT(batches[0].requests, ElementsAre(1u, 2u));
  EXPECT_EQ(batches[0].prefix_tokens, 3);
  EXPECT_EQ(batches[0].leaf_tokens, 2);
  EXPECT_EQ(batches[0].cached_tokens(), 3 + 2 * (2 + 1));
  EXPECT_THAT(batches[1].requests, ElementsAre(0u, 3u));  // nothing shared: 2 * (3 + 1)
  EXPECT_EQ(batches[1].prefix_tokens, 0);
  EXPECT_EQ(batches[1].cached_tokens(), 8);
  EXPECT_THAT(plan_generation(requests, 1), SizeIs(4));
  EXPECT_THAT(plan_generation({}, 10), SizeIs(0));
  EXPECT_THROW(plan_generation({{{}, 1}}, 10), std::invalid_argument);
  EXPECT_THROW(plan_generation({{{1}, 0}}, 10), std::invalid_argument);
}

TEST(PlanGeneration, KeepsToTheBoundAndTakesEveryRequestOnce) {
  const std::vector<GenerationRequest> requests = random_requests(60, 12, 3);
  for (const std::int64_t bound : {1, 40, 100, 500, 100000}) {
    std::multiset<std::size_t> met;
    for (const GenerationBatch& batch : plan_generation(requests, bound)) {
      EXPECT_TRUE(batch.cached_tokens() <= bound || batch.requests.size() == 1);
      for (const std::size_t i : batch.requests) {
        met.insert(i);
        const auto size = static_cast<std::int64_t>(requests[i].ids.size());
        EXPECT_LT(batch.prefix_tokens, size);
        EXPECT_LE(size, batch.prefix_tokens + batch.leaf_tokens);
        EXPECT_LE(requests[i].max_new_tokens, batch.max_new_tokens);
        EXPECT_TRUE(std::equal(requests[i].ids.begin(), requests[i].ids.begin() + batch.prefix_tokens,
                               requests[batch.requests.front()].ids.begin()));
      }
      EXPECT_GE(batch.prefix_tokens, batch.requests.size() > 1 ? 12 : 0);
    }
    EXPECT_EQ(met.size(), requests.size());
    EXPECT_EQ(std::set<std::size_t>(met.begin(), met.end()).size(), requests.size());
  }
}

TEST(Generator, EqualsRecomputingEveryToken) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    SmallModel model(seed);
    const std::vector<TokenId> stop_ids = {3, 7, 11, 20, 33};
    for (const std::int64_t prefix : {0, 17}) {
      const std::vector<GenerationRequest> requests = random_requests(24, prefix, seed);
      std::vector<GeneratedAnswer> expected;
      for (const GenerationRequest& request : requests) expected.push_back(recompute(*model, request, stop_ids));
      const auto hit =
          std::count_if(expected.begin(), expected.end(), [](const auto& answer) { return answer.hit_max_tokens; });
      EXPECT_GT(hit, 0);  // both ways of ending are met
      EXPECT_LT(hit, 24);
      for (const std::int64_t batch_tokens : {1, 60, 10000}) {
        Generator generator(*model, stop_ids, {.batch_tokens = batch_tokens});
        std::vector<std::int64_t> progress;
        const std::vector<GeneratedAnswer> answers =
            generator.generate(requests, [&](std::int64_t done) { progress.push_back(done); });
        std::int64_t generated = 0;
        for (std::size_t i = 0; i < requests.size(); ++i) {
          EXPECT_EQ(answers[i].ids, expected[i].ids) << "request " << i << ", batch of " << batch_tokens;
          EXPECT_EQ(answers[i].hit_max_tokens, expected[i].hit_max_tokens) << i;
          generated += static_cast<std::int64_t>(expected[i].ids.size()) + (expected[i].hit_max_tokens ? 0 : 1);
        }
        EXPECT_EQ(generator.stats().generated_tokens, generated);
        EXPECT_THAT(progress, SizeIs(24));
        EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
        EXPECT_EQ(progress.back(), 24);
      }
    }
  }
}

TEST(Generator, ComputesASharedPrefixOnceABatch) {
  SmallModel model(4);
  const std::vector<GenerationRequest> requests(5, {{1, 2, 3, 4, 5, 6}, 3});
  Generator generator(*model, {}, {});
  const std::vector<GeneratedAnswer> answers = generator.generate(requests);
  EXPECT_EQ(generator.stats().prompt_tokens, 5 + 5);
  EXPECT_EQ(generator.stats().generated_tokens, 15);
  EXPECT_EQ(generator.stats().forward_passes, 3);  // the prompts, then two tokens: the third is never put in
  for (const GeneratedAnswer& answer : answers) {
    EXPECT_THAT(answer.ids, SizeIs(3));
    EXPECT_TRUE(answer.hit_max_tokens);
  }
  EXPECT_THAT(generator.generate({}), SizeIs(0));
}

}  // namespace
}  // namespace entune
