#include "data/batches/batch_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "data/random.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TrainingSample sample(std::vector<TokenId> prompt, const std::vector<TokenId>& answer, std::int64_t variant = 0) {
  TrainingSample made;
  made.tokens.answer_start = static_cast<std::int64_t>(prompt.size());
  made.tokens.ids = std::move(prompt);
  made.tokens.ids.insert(made.tokens.ids.end(), answer.begin(), answer.end());
  made.variant = variant;
  return made;
}

/// Samples as a run has them: instructions of their variant, a text, an answer.
std::vector<TrainingSample> random_samples(std::size_t count, std::int64_t num_variants, std::uint64_t seed) {
  Random random(seed);
  std::vector<TrainingSample> samples;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t variant = random.below(num_variants);
    std::vector<TokenId> prompt, answer;
    for (TokenId t = 0; t < 20; ++t) prompt.push_back(100 + static_cast<TokenId>(variant) * 20 + t);
    for (std::int64_t t = random.between(1, 15); t > 0; --t) prompt.push_back(static_cast<TokenId>(random.below(3)));
    for (std::int64_t t = random.between(1, 12); t > 0; --t)
      answer.push_back(static_cast<TokenId>(10 + random.below(3)));
    samples.push_back(sample(prompt, answer, variant));
  }
  return samples;
}

/// (sample, tokens seen, token predicted, weight).
using Prediction = std::tuple<std::size_t, std::int64_t, std::int64_t, float>;

/// What a micro-batch teaches, one entry a sample and token; checks on the way that every row sees the very tokens
/// before its target.
std::vector<Prediction> predictions(const PackedBatch& batch, const std::vector<TrainingSample>& samples) {
  std::vector<Prediction> found;
  const std::int64_t prefix = batch.prefix_tokens;
  std::size_t leaf_of_last_prefix_row = 0;
  EXPECT_EQ(batch.leaf_offsets.front(), prefix);
  EXPECT_EQ(batch.leaf_offsets.back(), batch.executed_tokens());
  EXPECT_EQ(batch.leaf_offsets.size(), batch.samples.size() + 1);
  const auto add = [&](std::size_t leaf, std::int64_t row, std::int64_t target, float weight) {
    const std::int64_t seen = row < prefix ? row + 1 : prefix + row - batch.leaf_offsets[leaf] + 1;
    const std::vector<TokenId>& ids = samples[batch.samples[leaf]].tokens.ids;
    EXPECT_EQ(ids.at(static_cast<std::size_t>(seen)), target);
    for (std::int64_t i = 0; i < seen; ++i) {
      const std::int64_t at = i < prefix ? i : batch.leaf_offsets[leaf] + i - prefix;
      EXPECT_EQ(batch.token_ids.at(static_cast<std::size_t>(at)), ids[static_cast<std::size_t>(i)]);
      EXPECT_EQ(batch.positions.at(static_cast<std::size_t>(at)), i);
    }
    found.emplace_back(batch.samples[leaf], seen, target, weight);
  };
  for (std::size_t i = 0; i < batch.loss_rows.size(); ++i) {
    const std::int64_t row = batch.loss_rows[i];
    const auto num_leaves = static_cast<std::size_t>(batch.num_leaves());
    if (row < prefix - 1) {
      for (std::size_t leaf = 0; leaf < num_leaves; ++leaf) {
        add(leaf, row, batch.loss_targets[i], batch.loss_weights[i] / static_cast<float>(num_leaves));
      }
    } else if (row < prefix) {
      add(leaf_of_last_prefix_row++, row, batch.loss_targets[i], batch.loss_weights[i]);
    } else {
      const auto after = std::upper_bound(batch.leaf_offsets.begin(), batch.leaf_offsets.end(), row);
      add(static_cast<std::size_t>(after - batch.leaf_offsets.begin()) - 1, row, batch.loss_targets[i],
          batch.loss_weights[i]);
    }
  }
  return found;
}

std::vector<Prediction> predictions(const StepBatches& step, const std::vector<TrainingSample>& samples) {
  std::vector<Prediction> all;
  for (const PackedBatch& batch : step.micro_batches) {
    const std::vector<Prediction> some = predictions(batch, samples);
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

TEST(Pack, LaysOutPrefixAndLeavesByHand) {
  const std::vector<TrainingSample> samples = {sample({1, 2, 3, 4}, {5, 9}), sample({1, 2, 3, 6, 7}, {8, 8, 9})};
  const PackedBatch shared = pack(samples, {0, 1}, true, 0.0);
  EXPECT_EQ(shared.prefix_tokens, 3);
  EXPECT_THAT(shared.token_ids, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 8));
  EXPECT_THAT(shared.positions, ElementsAre(0, 1, 2, 3, 4, 3, 4, 5, 6));
  EXPECT_THAT(shared.leaf_offsets, ElementsAre(3, 5, 9));
  EXPECT_THAT(shared.samples, ElementsAre(0u, 1u));
  EXPECT_THAT(shared.loss_rows, ElementsAre(3, 4, 6, 7, 8));
  EXPECT_THAT(shared.loss_targets, ElementsAre(5, 9, 8, 8, 9));
  EXPECT_THAT(shared.loss_weights, ElementsAre(1, 1, 1, 1, 1));

  const PackedBatch plain = pack(samples, {1, 0}, false, 0.0);
  EXPECT_EQ(plain.prefix_tokens, 0);
  EXPECT_THAT(plain.token_ids, ElementsAre(1, 2, 3, 6, 7, 8, 8, 1, 2, 3, 4, 5));
  EXPECT_THAT(plain.leaf_offsets, ElementsAre(0, 7, 12));
  EXPECT_THAT(plain.loss_rows, ElementsAre(4, 5, 6, 10, 11));
}

TEST(Pack, WeighsPromptTokensOfThePrefixAsOftenAsTheyStandInFor) {
  const std::vector<TrainingSample> samples = {sample({1, 2, 3, 4}, {5, 9}), sample({1, 2, 3, 6, 7}, {8, 9})};
  const PackedBatch batch = pack(samples, {0, 1}, true, 0.25);
  EXPECT_THAT(batch.loss_rows, ElementsAre(0, 1, 2, 3, 4, 2, 5, 6, 7));
  EXPECT_THAT(batch.loss_targets, ElementsAre(2, 3, 4, 5, 9, 6, 7, 8, 9));
  EXPECT_THAT(batch.loss_weights, ElementsAre(0.5, 0.5, 0.25, 1, 1, 0.25, 0.25, 1, 1));
}

TEST(SharedPrefix, LeavesTheLastPromptTokenToEveryLeaf) {
  const TrainingSample one = sample({1, 2, 3}, {4, 9}), longer = sample({1, 2, 3, 4}, {9}), other = sample({7, 2}, {9});
  EXPECT_EQ(shared_prefix_tokens({}), 0);
  EXPECT_EQ(shared_prefix_tokens({&one.tokens}), 0);
  EXPECT_EQ(shared_prefix_tokens({&one.tokens, &one.tokens}), 2);
  EXPECT_EQ(shared_prefix_tokens({&one.tokens, &longer.tokens}), 2);  // the shorter's prompt ends first
  EXPECT_EQ(shared_prefix_tokens({&one.tokens, &other.tokens}), 0);
}

TEST(BatchLoader, DealsEverySampleOfAStepToOneRank) {
  for (const bool sharing : {true, false}) {
    for (const std::int64_t variants : {1, 3}) {
      const std::vector<TrainingSample> samples = random_samples(37, variants, 5);
      const BatchOptions options{
          .global_batch = 16, .micro_batch_tokens = 90, .prefix_sharing = sharing, .prompt_weight = 0.5};
      for (std::int64_t size = 1; size <= 5; ++size) {
        for (std::int64_t step = 0; step < 3; ++step) {
          std::vector<std::size_t> met;
          double weights = 0.0, divisor = 0.0;
          std::int64_t supervised = 0, logical = 0;
          for (std::int64_t rank = 0; rank < size; ++rank) {
            const StepBatches batches = BatchLoader(samples, options, 1, rank, size).load(2, step);
            divisor = batches.weight_sum;
            supervised += batches.tokens.supervised;
            logical += batches.tokens.logical;
            std::int64_t executed = 0, num_samples = 0;
            for (const PackedBatch& batch : batches.micro_batches) {
              met.insert(met.end(), batch.samples.begin(), batch.samples.end());
              executed += batch.executed_tokens();
              num_samples += batch.num_leaves();
              for (const float weight : batch.loss_weights) weights += weight;
              EXPECT_LE(batch.executed_tokens(), 90);
              for (const std::size_t i : batch.samples)
                EXPECT_EQ(samples[i].variant, samples[batch.samples.front()].variant);
            }
            EXPECT_EQ(batches.tokens.executed, executed);
            EXPECT_EQ(batches.num_samples, num_samples);
          }
          std::vector<std::size_t> order = BatchLoader(samples, options, 1, 0, size).sample_order(2, step);
          EXPECT_EQ(order.size(), step < 2 ? 16u : 5u);
          std::int64_t expected_supervised = 0, expected_logical = 0;
          for (const std::size_t i : order) {
            expected_logical += static_cast<std::int64_t>(samples[i].tokens.ids.size());
            expected_supervised +=
                static_cast<std::int64_t>(samples[i].tokens.ids.size()) - samples[i].tokens.answer_start;
          }
          EXPECT_EQ(supervised, expected_supervised);
          EXPECT_EQ(logical, expected_logical);
          EXPECT_NEAR(weights, divisor, 1e-4);
          std::sort(order.begin(), order.end());
          std::sort(met.begin(), met.end());
          EXPECT_EQ(met, order);
        }
      }
    }
  }
}

TEST(BatchLoader, SharingTeachesTheSameAsPlain) {
  const std::vector<TrainingSample> samples = random_samples(24, 2, 9);
  for (const double prompt_weight : {0.0, 0.5}) {
    for (const std::int64_t budget : {60, 100, 4000}) {
      BatchOptions options{
          .global_batch = 24, .micro_batch_tokens = budget, .prefix_sharing = true, .prompt_weight = prompt_weight};
      const StepBatches shared = BatchLoader(samples, options, 3, 0, 1).load(0, 0);
      options.prefix_sharing = false;
      const StepBatches plain = BatchLoader(samples, options, 3, 0, 1).load(0, 0);
      EXPECT_EQ(predictions(shared, samples), predictions(plain, samples));
      EXPECT_EQ(shared.weight_sum, plain.weight_sum);
      EXPECT_LT(shared.tokens.executed, plain.tokens.executed);
      EXPECT_EQ(predictions(plain, samples).size(), prompt_weight > 0.0
                                                        ? static_cast<std::size_t>(plain.tokens.executed)
                                                        : static_cast<std::size_t>(plain.tokens.supervised));
    }
  }
}

/// A micro-batch as it would be with the whole prefix, whose other parts stand in the other ranks' micro-batches.
PackedBatch with_whole_prefix(const PackedBatch& mine, const std::vector<const PackedBatch*>& of_all_ranks) {
  PackedBatch whole = mine;
  whole.prefix_part.reset();
  const std::int64_t here = mine.prefix_rows(), added = mine.prefix_tokens - here;
  std::vector<std::int64_t> ids, positions;
  for (const PackedBatch* batch : of_all_ranks) {
    ids.insert(ids.end(), batch->token_ids.begin(), batch->token_ids.begin() + batch->prefix_rows());
    positions.insert(positions.end(), batch->positions.begin(), batch->positions.begin() + batch->prefix_rows());
  }
  whole.token_ids.erase(whole.token_ids.begin(), whole.token_ids.begin() + here);
  whole.token_ids.insert(whole.token_ids.begin(), ids.begin(), ids.end());
  whole.positions.erase(whole.positions.begin(), whole.positions.begin() + here);
  whole.positions.insert(whole.positions.begin(), positions.begin(), positions.end());
  for (std::int64_t& offset : whole.leaf_offsets) offset += added;
  for (std::int64_t& row : whole.loss_rows) row += added;
  return whole;
}

TEST(BatchLoader, RanksThatShareOnePrefixComputeAPartEach) {
  const std::vector<TrainingSample> samples = random_samples(24, 1, 9);
  const BatchOptions options{.global_batch = 24, .micro_batch_tokens = 100};
  const std::vector<Prediction> alone = predictions(BatchLoader(samples, options, 3, 0, 1).load(0, 0), samples);
  for (const std::int64_t size : {2, 3, 5}) {
    std::vector<StepBatches> ranks;
    for (std::int64_t rank = 0; rank < size; ++rank)
      ranks.push_back(BatchLoader(samples, options, 3, rank, size).load(0, 0));
    std::vector<Prediction> all;
    for (std::size_t i = 0; i < ranks[0].micro_batches.size(); ++i) {
      std::vector<const PackedBatch*> together;
      for (const StepBatches& rank : ranks) {
        ASSERT_EQ(rank.micro_batches.size(), ranks[0].micro_batches.size());
        together.push_back(&rank.micro_batches[i]);
      }
      for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
        const PackedBatch& batch = *together[rank];
        ASSERT_TRUE(batch.prefix_part) << size << " ranks";
        EXPECT_EQ(batch.prefix_tokens,
                  20 / size * size);  // the instructions; what does not divide stands in the leaves
        EXPECT_EQ(batch.prefix_part->rows, 20 / size);
        EXPECT_EQ(batch.prefix_part->begin, static_cast<std::int64_t>(rank) * (20 / size));
        const std::vector<Prediction> some = predictions(with_whole_prefix(batch, together), samples);
        all.insert(all.end(), some.begin(), some.end());
      }
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, alone);
  }
}

TEST(BatchLoader, LeavesThePrefixWholeWhereRanksCannotShareIt) {
  const auto split = [](const std::vector<TrainingSample>& samples, BatchOptions options, std::int64_t size) {
    bool any = false;
    for (std::int64_t rank = 0; rank < size; ++rank) {
      for (const PackedBatch& batch : BatchLoader(samples, options, 3, rank, size).load(0, 0).micro_batches)
        any = any || batch.prefix_part.has_value();
    }
    return any;
  };
  const BatchOptions options{.global_batch = 24, .micro_batch_tokens = 4000};
  const std::vector<TrainingSample> samples = random_samples(24, 1, 9);
  EXPECT_TRUE(split(samples, options, 2));
  EXPECT_FALSE(split(samples, options, 1));
  EXPECT_FALSE(split(samples, options, 21));                  // a prefix of 20 tokens
  EXPECT_FALSE(split(random_samples(24, 2, 9), options, 2));  // two label lists
  EXPECT_FALSE(split(random_samples(3, 1, 9), options, 4));   // a rank without a sample
  BatchOptions other = options;
  other.prefix_sharing = false;
  EXPECT_FALSE(split(samples, other, 2));
  other = options;
  other.prompt_weight = 0.1;
  EXPECT_FALSE(split(samples, other, 2));
  // The long sample's rank has one micro-batch, the rank of the two others needs two.
  const std::vector<TokenId> prompt = {1, 2, 3, 4, 5, 6};
  const std::vector<TrainingSample> uneven = {sample(prompt, std::vector<TokenId>(40, 7)),
                                              sample(prompt, std::vector<TokenId>(30, 7)),
                                              sample(prompt, std::vector<TokenId>(29, 7))};
  EXPECT_FALSE(split(uneven, {.global_batch = 3, .micro_batch_tokens = 50}, 2));
  EXPECT_TRUE(split(uneven, {.global_batch = 3, .micro_batch_tokens = 100}, 2));
}

TEST(BatchLoader, BalancesTheRanks) {
  const std::vector<TrainingSample> samples = random_samples(64, 1, 21);
  const BatchOptions options{.global_batch = 64, .micro_batch_tokens = 4096};
  for (std::int64_t size = 2; size <= 5; ++size) {
    std::vector<std::int64_t> executed;
    for (std::int64_t rank = 0; rank < size; ++rank)
      executed.push_back(BatchLoader(samples, options, 1, rank, size).load(0, 0).tokens.executed);
    const auto [least, most] = std::minmax_element(executed.begin(), executed.end());
    EXPECT_LE(*most - *least, 27) << size;  // the longest leaf
  }
}

TEST(BatchLoader, OrderDependsOnSeedAndEpochAlone) {
  const std::vector<TrainingSample> samples = random_samples(50, 2, 1);
  const BatchOptions options{.global_batch = 8};
  const auto epoch = [&](std::uint64_t seed, std::int64_t number, std::int64_t rank, std::int64_t size) {
    const BatchLoader loader(samples, options, seed, rank, size);
    std::vector<std::size_t> order;
    for (std::int64_t step = 0; step < loader.steps_per_epoch(); ++step) {
      const std::vector<std::size_t> some = loader.sample_order(number, step);
      order.insert(order.end(), some.begin(), some.end());
    }
    return order;
  };
  const std::vector<std::size_t> order = epoch(1, 0, 0, 1);
  EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), 50u);
  EXPECT_EQ(order.size(), 50u);
  EXPECT_EQ(epoch(1, 0, 2, 4), order);
  EXPECT_NE(epoch(1, 1, 0, 1), order);
  EXPECT_NE(epoch(2, 0, 0, 1), order);
  EXPECT_NE(epoch(2, 0, 0, 1), epoch(1, 1, 0, 1));  // seed + epoch would do that
  const BatchLoader loader(samples, options, 1, 0, 1);
  EXPECT_EQ(loader.steps_per_epoch(), 7);
  EXPECT_THROW(loader.sample_order(0, 7), std::out_of_range);
  EXPECT_THROW(loader.load(-1, 0), std::out_of_range);
}

TEST(BatchLoader, TakesHostileSamples) {
  const BatchOptions options{.global_batch = 8, .micro_batch_tokens = 10};
  const auto load = [&](const std::vector<TrainingSample>& samples) {
    const StepBatches step = BatchLoader(samples, options, 1, 0, 1).load(0, 0);
    predictions(step, samples);
    return step;
  };
  const TrainingSample small = sample({1, 2, 3}, {4, 9});
  // One sample; a sample of one prompt token and one answer token.
  EXPECT_EQ(load({small}).micro_batches.size(), 1u);
  EXPECT_EQ(load({sample({1}, {9})}).tokens.executed, 1);
  // Identical samples: all but the last prompt token is shared. 2 + 4 * 2 = 10 tokens fit.
  const StepBatches identical = load({small, small, small, small});
  ASSERT_EQ(identical.micro_batches.size(), 1u);
  EXPECT_EQ(identical.micro_batches[0].prefix_tokens, 2);
  EXPECT_EQ(identical.tokens.executed, 10);
  // One sample is the beginning of another.
  EXPECT_EQ(load({small, sample({1, 2, 3, 4, 9, 9}, {5, 9})}).micro_batches.size(), 1u);
  // Longer than the budget: it stands alone.
  const StepBatches longer = load({small, sample(std::vector<TokenId>(30, 7), {9}), small});
  EXPECT_EQ(longer.micro_batches.size(), 2u);
  EXPECT_EQ(longer.micro_batches[0].num_leaves(), 1);
  EXPECT_EQ(longer.micro_batches[0].executed_tokens(), 30);
  // Nothing at all, and what can't be trained on.
  EXPECT_EQ(BatchLoader({}, options, 1, 0, 1).steps_per_epoch(), 0);
  const std::vector<TrainingSample> no_answer = {sample({1, 2}, {})}, no_prompt = {sample({}, {1, 9})};
  EXPECT_THROW(BatchLoader(no_answer, options, 1, 0, 1), std::invalid_argument);
  EXPECT_THROW(BatchLoader(no_prompt, options, 1, 0, 1), std::invalid_argument);
}

TEST(BatchLoader, RanksWithoutWorkHaveNoMicroBatches) {
  const std::vector<TrainingSample> samples = {sample({1, 2}, {9})};
  const StepBatches idle = BatchLoader(samples, {}, 1, 1, 2).load(0, 0);
  EXPECT_THAT(idle.micro_batches, IsEmpty());
  EXPECT_EQ(idle.num_samples, 0);
  EXPECT_EQ(idle.weight_sum, 1.0);
}

TEST(LayOut, RefusesASequenceThatEndsWithinThePrefix) {
  const std::vector<TokenId> ids = {1, 2};
  EXPECT_THROW(lay_out({ids}, 2), std::invalid_argument);
  EXPECT_EQ(lay_out({ids}, 1).num_leaves(), 1);
}

}  // namespace
}  // namespace entune
