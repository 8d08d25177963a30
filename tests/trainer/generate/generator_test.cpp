#include "trainer/generate/generator.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>

#include "data/constraints/text_draft.h"
#include "data/random.h"
#include "tests/data/formats/random_examples.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

/// A random model small enough to be run once a token. Its logits are spread widely, so that near-ties don't decide.
class SmallModel {
 public:
  explicit SmallModel(std::uint64_t seed, std::optional<std::int64_t> window = {}, std::int64_t vocab_size = 40)
      : group_(make_self_communicator()) {
    LlamaConfig config;
    config.vocab_size = vocab_size;
    config.hidden_size = 32;
    config.intermediate_size = 48;
    config.num_layers = 2;
    config.num_heads = 4;
    config.num_kv_heads = 2;
    config.head_dim = 8;
    config.initializer_range = 0.6;
    config.sliding_window = window;
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

/// Proposes what comes next in `right`, wrong at some places, and anything where there is nothing left.
std::function<std::vector<TokenId>(std::span<const TokenId>, std::size_t)> draft_of(std::vector<TokenId> right,
                                                                                    std::uint64_t error_in,
                                                                                    std::uint64_t seed) {
  return [right, error_in, random = Random(seed)](std::span<const TokenId> written, std::size_t most) mutable {
    std::vector<TokenId> proposed;
    const std::size_t count = random.below(most + 1) + (random.below(4) == 0 ? 3 : 0);  // now and then too many
    for (std::size_t i = written.size(); proposed.size() < count; ++i) {
      const bool is_right = i < right.size() && random.below(error_in) != 0;
      proposed.push_back(is_right ? right[i] : static_cast<TokenId>(random.below(40)));
    }
    return proposed;
  };
}

TEST(Generator, DraftsChangeTheNumberOfPassesAlone) {
  const std::vector<TokenId> stop_ids = {3, 7, 11, 20, 33};
  for (const auto& [window, error_in] : std::vector<std::pair<std::optional<std::int64_t>, std::uint64_t>>{
           {std::nullopt, 1}, {std::nullopt, 3}, {std::nullopt, 1000}, {6, 4}}) {
    SmallModel model(5, window);
    for (const std::int64_t prefix : {0, 17}) {
      std::vector<GenerationRequest> requests = random_requests(24, prefix, 8);
      for (GenerationRequest& request : requests) request.max_new_tokens += 20;
      Generator plain(*model, stop_ids, {.batch_tokens = 400});
      const std::vector<GeneratedAnswer> expected = plain.generate(requests);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        std::vector<TokenId> right = expected[i].ids;
        right.push_back(stop_ids[i % stop_ids.size()]);
        requests[i].draft = draft_of(std::move(right), error_in, i);
      }
      Generator drafted(*model, stop_ids, {.batch_tokens = 400});
      const std::vector<GeneratedAnswer> answers = drafted.generate(requests);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(answers[i].ids, expected[i].ids) << "request " << i;
        EXPECT_EQ(answers[i].hit_max_tokens, expected[i].hit_max_tokens) << "request " << i;
      }
      const GenerationStats& stats = drafted.stats();
      EXPECT_EQ(stats.generated_tokens, plain.stats().generated_tokens);
      EXPECT_EQ(plain.stats().answer_passes, plain.stats().generated_tokens);
      // A pass gives what it accepts and one token more, unless the answer ends with what it accepts.
      EXPECT_GE(stats.answer_passes + stats.accepted_tokens, stats.generated_tokens);
      EXPECT_LE(stats.answer_passes + stats.accepted_tokens,
                stats.generated_tokens + static_cast<std::int64_t>(requests.size()));
      if (error_in < 1000) continue;
      EXPECT_LT(2 * stats.forward_passes, plain.stats().forward_passes);
    }
  }
}

/// An untrained model of a real vocabulary: what it answers freely is noise.
void expect_well_formed_answers(const std::string& vocabulary, const std::string& stop) {
  const auto tokenizer = load_tokenizer(std::string(ENTUNE_SOURCE_DIR) + "/tests/data/tokens/fixtures/" + vocabulary);
  const PieceTrie pieces(*tokenizer);
  SmallModel model(6, {}, tokenizer->vocab_size());
  const std::vector<TokenId> stop_ids = {*tokenizer->control_id(stop)};
  for (const std::string& name : output_format_names()) {
    const auto format = make_output_format(name, test_labels());
    RandomExamples random(13);
    std::vector<std::string> texts;
    std::vector<GenerationRequest> requests;
    for (int i = 0; i < 40; ++i) {
      texts.push_back(random.next().text);
      const auto guide = std::make_shared<AnswerGuide>(*format, texts.back(), *tokenizer, pieces);
      requests.push_back({.ids = tokenizer->encode("Find entities: " + texts.back()),
                          .max_new_tokens = guide->smallest_limit() + 20 * (i % 20),
                          .constraint = guide,
                          .draft = {}});
    }
    Generator plain(*model, stop_ids, {});
    const std::vector<GeneratedAnswer> answers = plain.generate(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      EXPECT_FALSE(answers[i].hit_max_tokens);
      const ParsedAnswer parsed = format->parse(tokenizer->decode(answers[i].ids), texts[i]);
      EXPECT_TRUE(parsed.well_formed()) << name << ", text " << i;
      EXPECT_EQ(parsed.fault(AnswerFault::not_in_text), 0) << name << ", text " << i;
      EXPECT_EQ(parsed.fault(AnswerFault::offset_wrong), 0) << name << ", text " << i;
    }
    for (GenerationRequest& request : requests) request.draft = TextDraft(request.constraint, stop_ids.front());
    Generator drafted(*model, stop_ids, {});
    const std::vector<GeneratedAnswer> again = drafted.generate(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(again[i].ids, answers[i].ids) << name << ", text " << i;
    EXPECT_LT(drafted.stats().forward_passes, plain.stats().forward_passes) << name;
  }
}

TEST(Generator, ConstrainedAnswersOfAnUntrainedModelAreWellFormed) {
  expect_well_formed_answers("smollm", "<|im_end|>");
}

TEST(Generator, ConstrainedAnswersInSentencepieceAreWellFormed) { expect_well_formed_answers("llama", "</s>"); }

TEST(Generator, ALimitThatNoAnswerFitsIsAnError) {
  const auto tokenizer = load_tokenizer(std::string(ENTUNE_SOURCE_DIR) + "/tests/data/tokens/fixtures/smollm");
  const PieceTrie pieces(*tokenizer);
  SmallModel model(6, {}, tokenizer->vocab_size());
  const auto format = make_output_format("xml", test_labels());
  const auto guide = std::make_shared<AnswerGuide>(*format, "Ann met Bo.", *tokenizer, pieces);
  Generator generator(*model, {*tokenizer->control_id("<|im_end|>")}, {});
  const GenerationRequest request{
      .ids = {1, 2}, .max_new_tokens = guide->smallest_limit() - 1, .constraint = guide, .draft = {}};
  EXPECT_THROW(generator.generate({request}), c10::Error);
}

}  // namespace
}  // namespace entune
