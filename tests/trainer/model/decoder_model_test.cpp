// Properties of the model on small random weights: sharing, checkpointing, tensor and sequence parallelism, decoding.

#include "trainer/model/decoder_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/support/thread_communicator.h"
#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/model/kept_memory.h"
#include "tests/trainer/model/small_models.h"

namespace entune {
namespace {

using test::expect_close;
using test::LossAndGradients;
using test::make_sequences;
using test::pack;
using test::Sequence;

constexpr double kTolerance = 1e-5;

void expect_same(const LossAndGradients& actual, const LossAndGradients& expected, double tolerance = kTolerance) {
  EXPECT_NEAR(actual.loss, expected.loss, tolerance * std::abs(expected.loss));
  ASSERT_EQ(actual.gradients.size(), expected.gradients.size());
  for (const auto& [name, gradient] : expected.gradients)
    expect_close(actual.gradients.at(name), gradient, tolerance, name);
}

std::vector<Sequence> slice(const std::vector<Sequence>& all, std::size_t begin, std::size_t end) {
  return {all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)};
}

struct Training {
  std::string name;
  ModelOptions options;
};

class DecoderModelByTraining : public testing::TestWithParam<Training> {
 protected:
  std::unique_ptr<Communicator> self_ = make_self_communicator();
};
INSTANTIATE_TEST_SUITE_P(Methods, DecoderModelByTraining,
                         testing::Values(Training{"full", test::full_training()},
                                         Training{"lora", test::lora_training()}),
                         [](const auto& info) { return info.param.name; });

TEST_P(DecoderModelByTraining, SharedPrefixGivesThePlainGradients) {
  const LlamaConfig config = test::small_config();
  const auto model = test::make_model(config, GetParam().options, *self_);
  constexpr std::int64_t kShared = 12, kSupervised = 15;
  const std::vector<Sequence> sequences = make_sequences(kShared, {20, 16, 31, 24, 17}, config.vocab_size);
  for (const float prompt_weight : {0.0F, 0.3F}) {
    SCOPED_TRACE(prompt_weight);
    std::vector<PackedBatch> one_by_one;
    for (std::size_t i = 0; i < sequences.size(); ++i)
      one_by_one.push_back(pack(slice(sequences, i, i + 1), 0, kSupervised, prompt_weight));
    const LossAndGradients plain = test::run(*model, one_by_one);
    ASSERT_EQ(plain.gradients.empty(), false);
    expect_same(test::run(*model, {pack(sequences, 0, kSupervised, prompt_weight)}), plain);
    expect_same(test::run(*model, {pack(sequences, kShared, kSupervised, prompt_weight)}), plain);
    expect_same(test::run(*model, {pack(sequences, 1, kSupervised, prompt_weight)}), plain);
    expect_same(test::run(*model, {pack(slice(sequences, 0, 2), kShared, kSupervised, prompt_weight),
                                   pack(slice(sequences, 2, 3), kShared, kSupervised, prompt_weight),
                                   pack(slice(sequences, 3, 5), 7, kSupervised, prompt_weight)}),
                plain);
  }
}

TEST_P(DecoderModelByTraining, TheLastPrefixRowPredictsEveryFirstToken) {
  const LlamaConfig config = test::small_config();
  const auto model = test::make_model(config, GetParam().options, *self_);
  const std::vector<Sequence> sequences = make_sequences(6, {9, 7, 8}, config.vocab_size);  // leaves of one token too
  const PackedBatch shared = pack(sequences, 6, 6, 0.0F);
  EXPECT_EQ(std::ranges::count(shared.loss_rows, 5), 3);
  expect_same(test::run(*model, {shared}), test::run(*model, {pack(sequences, 0, 6, 0.0F)}));
}

TEST_P(DecoderModelByTraining, SlidingWindowSharesExactly) {
  LlamaConfig config = test::small_config();
  for (const std::int64_t window : {2, 3, 13, 30}) {
    config.sliding_window = window;
    const auto model = test::make_model(config, GetParam().options, *self_);
    const std::vector<Sequence> sequences = make_sequences(12, {20, 16, 25}, config.vocab_size);
    expect_same(test::run(*model, {pack(sequences, 12, 14, 0.2F)}), test::run(*model, {pack(sequences, 0, 14, 0.2F)}));
  }
}

TEST_P(DecoderModelByTraining, CheckpointingChangesNothing) {
  const LlamaConfig config = test::small_config();
  ModelOptions options = GetParam().options;
  const auto plain = test::make_model(config, options, *self_);
  const PackedBatch batch = pack(make_sequences(12, {20, 16, 31}, config.vocab_size), 12, 15, 0.0F);
  for (const auto checkpointing : {ActivationCheckpointing::selective, ActivationCheckpointing::full}) {
    options.checkpointing = checkpointing;
    const auto checkpointed = test::make_model(config, options, *self_);
    expect_same(test::run(*checkpointed, {batch}), test::run(*plain, {batch}), 1e-6);
  }
}

/// Numbers of 4 bytes kept for the backward of 401 rows: the prefix and leaves of 53 and 48.
constexpr std::int64_t kRows = 401;
std::int64_t kept_numbers(const ModelOptions& options, Communicator& axis) {
  const LlamaConfig config = test::small_config();
  const auto model = test::make_model(config, options, axis);
  return test::kept_bytes(*model, pack(make_sequences(300, {353, 348}, config.vocab_size), 300, 345, 0.0F)) / 4;
}

TEST_P(DecoderModelByTraining, CheckpointingKeepsLess) {
  ModelOptions options = GetParam().options;
  const std::int64_t none = kept_numbers(options, *self_);
  options.checkpointing = ActivationCheckpointing::selective;
  const std::int64_t selective = kept_numbers(options, *self_);
  options.checkpointing = ActivationCheckpointing::full;
  const std::int64_t full = kept_numbers(options, *self_);
  // Of two blocks (the last one has few rows after attention): the norm's output, gate and up.
  const LlamaConfig config = test::small_config();
  EXPECT_GE(none - selective, 2 * kRows * (config.hidden_size + 2 * config.intermediate_size));
  // Of three blocks: the norm's output, queries, keys, values and what attention gives.
  const std::int64_t attention = 2 * (config.num_heads + config.num_kv_heads) * config.head_dim;
  EXPECT_GE(selective - full, 3 * kRows * (config.hidden_size + attention));
}

TEST_P(DecoderModelByTraining, Bfloat16IsNearFloat32) {
  LlamaConfig config = test::small_config();
  config.initializer_range = 0.1;  // larger logits would magnify every rounding
  ModelOptions options = GetParam().options;
  const auto wide = test::make_model(config, options, *self_);
  options.dtype = at::kBFloat16;
  const auto narrow = test::make_model(config, options, *self_);
  for (std::size_t i = 0; i < narrow->parameters().size(); ++i) {
    at::NoGradGuard no_grad;
    Parameter& p = narrow->parameters()[i];
    EXPECT_EQ(p.value.scalar_type(), p.is_adapter ? at::kFloat : at::kBFloat16) << p.name;
    wide->parameters()[i].value.copy_(p.value);
  }
  const PackedBatch batch = pack(make_sequences(12, {20, 16, 31}, config.vocab_size), 12, 15, 0.0F);
  const LossAndGradients actual = test::run(*narrow, {batch});
  EXPECT_EQ(actual.gradients.begin()->second.scalar_type(), options.lora ? at::kFloat : at::kBFloat16);
  expect_same(actual, test::run(*wide, {batch}), 0.1);
}

TEST_P(DecoderModelByTraining, NoSupervisedRowGivesZero) {
  PackedBatch batch = pack(make_sequences(4, {6, 7}, 61), 4, 5, 0.0F);
  batch.loss_rows.clear();
  batch.loss_targets.clear();
  batch.loss_weights.clear();
  const auto check = [&](Communicator& group) {
    ModelOptions options = GetParam().options;
    options.sequence_parallel = true;
    const LossAndGradients result = test::run(*test::make_model(test::small_config(), options, group), {batch});
    EXPECT_EQ(result.loss, 0.0);
    for (const auto& [name, gradient] : result.gradients) {
      if (gradient.defined()) {
        EXPECT_EQ(gradient.abs().max().item<double>(), 0.0) << name;
      }
    }
  };
  check(*self_);
  test::spawn_ranks(2, check);
}

struct Layout {
  int ranks;
  LlamaConfig config;
};

std::vector<Layout> layouts() {
  LlamaConfig halves = test::small_config();  // 6/2 heads, vocabulary 61: uneven
  LlamaConfig untied = halves;
  untied.tie_word_embeddings = false;
  LlamaConfig quarters = halves;
  quarters.num_heads = quarters.num_kv_heads = 4;
  quarters.vocab_size = 5;  // parts of 2, 2, 1 and 0 rows
  LlamaConfig thirds = halves;
  thirds.num_heads = 9;
  thirds.num_kv_heads = 3;
  LlamaConfig window = halves;
  window.sliding_window = 9;
  LlamaConfig normed_heads = halves;
  normed_heads.qk_norm = normed_heads.qkv_bias = true;
  return {{2, halves}, {2, untied}, {4, quarters}, {3, thirds}, {2, window}, {2, normed_heads}};
}

/// This rank's part of the loss and the gradients of one rank.
void expect_part_of(const LossAndGradients& whole_model, const LossAndGradients& mine, DecoderModel& model,
                    Communicator& group, double tolerance) {
  EXPECT_NEAR(mine.loss, whole_model.loss, tolerance * whole_model.loss);
  for (const Parameter& p : model.parameters()) {
    if (!p.value.requires_grad()) continue;
    at::Tensor gradient = mine.gradients.at(p.name), whole = whole_model.gradients.at(p.name);
    if (p.partial_gradient) group.all_reduce(gradient, ReduceOp::sum);
    if (p.shard.dim >= 0) {
      const std::int64_t size = p.full_shape[p.shard.dim], begin = p.shard.begin(size);
      const std::int64_t owned = p.shard.end(size) - begin;
      whole = whole.narrow(p.shard.dim, begin, owned);
      gradient = gradient.narrow(p.shard.dim, 0, owned);
    }
    expect_close(gradient, whole, tolerance, p.name);
  }
}

TEST_P(DecoderModelByTraining, TensorParallelGivesTheGradientsOfOneRank) {
  for (const Layout& layout : layouts()) {
    SCOPED_TRACE(layout.ranks);
    const LlamaConfig& config = layout.config;
    // 43 rows, which no axis divides; 67 without a shared prefix; one row that carries loss, fewer than ranks.
    const std::vector<Sequence> sequences = make_sequences(12, {20, 16, 31}, config.vocab_size);
    const std::vector<PackedBatch> batches = {pack(sequences, 12, 15, 0.1F), pack(sequences, 0, 15, 0.0F),
                                              pack(sequences, 12, 30, 0.0F)};
    const auto single = test::make_model(config, GetParam().options, *self_);
    std::vector<LossAndGradients> expected;
    for (const PackedBatch& batch : batches) expected.push_back(test::run(*single, {batch}));
    const at::Tensor logits = single->logits(batches[0], {3, 14, 40});
    test::spawn_ranks(layout.ranks, [&](Communicator& group) {
      for (const auto& [checkpointing, cut] : test::ways_to_train(group)) {
        SCOPED_TRACE(testing::Message() << "checkpointing " << static_cast<int>(checkpointing) << ", rows cut " << cut);
        ModelOptions options = GetParam().options;
        options.checkpointing = checkpointing;
        options.sequence_parallel = cut;
        const auto model = test::make_model(config, options, group);
        std::int64_t held = 0, full = 0;
        for (const Parameter& p : model->parameters()) {
          const std::int64_t size = c10::multiply_integers(p.full_shape);
          held += p.value.numel();
          full += p.shard.dim < 0 ? size
                                  : (p.full_shape[p.shard.dim] + group.size() - 1) / group.size() *
                                        (size / p.full_shape[p.shard.dim]);
        }
        EXPECT_EQ(held, full);
        for (std::size_t i = 0; i < batches.size(); ++i) {
          SCOPED_TRACE(testing::Message() << "batch " << i);
          // What one row's loss gives queries nearly cancels: up to 1.2e-5 was seen, on a CPU with AVX-512.
          expect_part_of(expected[i], test::run(*model, {batches[i]}), *model, group, 3 * kTolerance);
        }
        expect_close(model->logits(batches[0], {3, 14, 40}), logits, kTolerance, "logits");
      }
    });
  }
}

TEST_P(DecoderModelByTraining, CutRowsKeepLess) {
  constexpr int kRanks = 2;
  test::spawn_ranks(kRanks, [&](Communicator& group) {
    ModelOptions options = GetParam().options;
    const std::int64_t whole = kept_numbers(options, group);
    options.sequence_parallel = true;
    // Over all ranks: what one thread takes another may give back.
    const double saved = over_ranks(group, static_cast<double>(whole - kept_numbers(options, group)), ReduceOp::sum);
    // Half of what two blocks (the last one has few rows after attention) keep whole: the inputs and outputs of two
    // norms. Were the gathered inputs of the layers kept, it would be half of that.
    EXPECT_GE(saved, kRanks * (2 * 4 * (kRows / 2) * test::small_config().hidden_size));
  });
}

TEST(DecoderModel, ShardsHoldTheirPartOfTheSameModel) {
  const auto self = make_self_communicator();
  const LlamaConfig config = test::small_config();
  const auto single = test::make_model(config, test::lora_training(), *self);
  test::spawn_ranks(2, [&](Communicator& group) {
    const auto model = test::make_model(config, test::lora_training(), group);
    ASSERT_EQ(model->parameters().size(), single->parameters().size());
    for (std::size_t i = 0; i < model->parameters().size(); ++i) {
      const Parameter &p = model->parameters()[i], &whole = single->parameters()[i];
      EXPECT_EQ(p.name, whole.name);
      EXPECT_EQ(p.full_shape, whole.full_shape);
      at::Tensor expected = whole.value.detach(), actual = p.value.detach();
      if (p.shard.dim >= 0) {
        const std::int64_t size = p.full_shape[p.shard.dim], begin = p.shard.begin(size),
                           owned = p.shard.end(size) - begin;
        expected = expected.narrow(p.shard.dim, begin, owned);
        EXPECT_EQ(actual.narrow(p.shard.dim, owned, actual.size(p.shard.dim) - owned).abs().sum().item<double>(), 0.0)
            << p.name;
        actual = actual.narrow(p.shard.dim, 0, owned);
      }
      EXPECT_TRUE(at::equal(actual, expected)) << p.name;
    }
  });
}

TEST(DecoderModel, LayoutThatDoesNotDivideIsRefused) {
  test::spawn_ranks(4, [&](Communicator& group) {
    EXPECT_ANY_THROW(DecoderModel(test::small_config(), test::full_training(), group));
  });
}

TEST(DecoderModel, LoraStartsAsTheBase) {
  const auto self = make_self_communicator();
  DecoderModel base(test::small_config(), test::full_training(), *self),
      adapted(test::small_config(), test::lora_training(), *self);
  base.initialize_random(3);
  adapted.initialize_random(3);
  adapted.initialize_lora(99);
  for (const Parameter& p : adapted.parameters()) {
    if (!p.is_adapter) continue;
    const double largest = p.value.abs().max().item<double>();
    if (p.name.ends_with("lora_A.weight")) {
      const double bound = 1.0 / std::sqrt(static_cast<double>(p.full_shape[1]));
      EXPECT_LE(largest, bound) << p.name;
      EXPECT_GT(largest, 0.8 * bound) << p.name;
    } else {
      EXPECT_EQ(largest, 0.0) << p.name;
    }
  }
  const PackedBatch batch = pack(make_sequences(4, {9, 7}, 61), 4, 5, 0.0F);
  EXPECT_TRUE(at::equal(base.logits(batch, {2, 8}), adapted.logits(batch, {2, 8})));
}

TEST(DecoderModel, DropoutActsInTrainingOnly) {
  const auto self = make_self_communicator();
  ModelOptions options = test::lora_training();
  const auto plain = test::make_model(test::small_config(), options, *self);
  options.lora->dropout = 0.5;
  const auto dropping = test::make_model(test::small_config(), options, *self);
  const PackedBatch batch = pack(make_sequences(0, {9, 7}, 61), 0, 5, 0.0F);
  const double expected = plain->loss_sum(batch).item<double>();
  const double first = dropping->loss_sum(batch).item<double>(), second = dropping->loss_sum(batch).item<double>();
  EXPECT_NE(first, expected);
  EXPECT_NE(first, second);
  dropping->set_training(false);
  EXPECT_EQ(dropping->loss_sum(batch).item<double>(), expected);
}

TEST(DecoderModel, DropoutIsEqualOverLayoutsAndUnderCheckpointing) {
  const auto self = make_self_communicator();
  ModelOptions options = test::lora_training();
  options.lora->dropout = 0.5;
  const PackedBatch batch = pack(make_sequences(0, {9, 7}, 61), 0, 5, 0.0F);
  const LossAndGradients expected = test::run(*test::make_model(test::small_config(), options, *self), {batch});
  for (const int ranks : {1, 2}) {
    test::spawn_ranks(ranks, [&](Communicator& group) {
      for (const auto& [checkpointing, cut] : test::ways_to_train(group)) {
        ModelOptions of_way = options;
        of_way.checkpointing = checkpointing;
        of_way.sequence_parallel = cut;
        const auto model = test::make_model(test::small_config(), of_way, group);
        expect_part_of(expected, test::run(*model, {batch}), *model, group, kTolerance);
      }
    });
  }
}

/// Greedy decoding against the whole sequences computed anew, step by step.
void check_decoding(DecoderModel& model, std::int64_t prefix, const std::vector<std::int64_t>& lengths) {
  constexpr std::int64_t kSteps = 6;
  std::vector<Sequence> sequences = make_sequences(prefix, lengths, model.config().vocab_size);
  KvCache cache;
  const auto recomputed = [&] {
    const PackedBatch plain = pack(sequences, 0, 1, 0.0F);
    std::vector<std::int64_t> rows;
    for (std::int64_t b = 0; b < plain.num_leaves(); ++b) rows.push_back(plain.leaf_offsets[b + 1] - 1);
    return model.logits(plain, rows);
  };
  at::Tensor logits = model.prefill(pack(sequences, prefix, 1, 0.0F), kSteps, cache);
  EXPECT_EQ(cache.num_leaves(), static_cast<std::int64_t>(lengths.size()));
  for (std::int64_t step = 0; step < kSteps; ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    expect_close(logits, recomputed(), kTolerance, "logits");
    at::Tensor next = logits.argmax(-1);
    if (step == 2 && sequences.size() > 1) {  // the first leaf leaves, and the others change their order
      std::vector<std::int64_t> kept;
      for (std::size_t b = sequences.size() - 1; b > 0; --b) kept.push_back(static_cast<std::int64_t>(b));
      const at::Tensor rows = at::tensor(kept, at::kLong);
      cache.keep(rows);
      next = next.index_select(0, rows);
      std::vector<Sequence> rest;
      for (const std::int64_t b : kept) rest.push_back(sequences[b]);
      sequences = rest;
    }
    for (std::size_t b = 0; b < sequences.size(); ++b)
      sequences[b].push_back(next[static_cast<std::int64_t>(b)].item<std::int64_t>());
    logits = model.decode(next, cache);
  }
  EXPECT_ANY_THROW(model.decode(logits.argmax(-1), cache)) << "beyond its capacity";
}

TEST(DecoderModel, DecodingIsFullRecomputation) {
  const auto self = make_self_communicator();
  for (const std::optional<std::int64_t> window : {std::optional<std::int64_t>{}, std::optional<std::int64_t>{7}}) {
    LlamaConfig config = test::small_config();
    config.sliding_window = window;
    const auto model = test::make_model(config, test::lora_training(), *self);
    check_decoding(*model, 0, {5, 1, 12});
    check_decoding(*model, 10, {14, 11, 21});
    check_decoding(*model, 4, {9});
    check_decoding(*model, 9, {10, 9, 12});  // a leaf that is nothing but the prefix
  }
}

TEST(DecoderModel, DecodingUnderTensorParallelism) {
  test::spawn_ranks(2, [&](Communicator& group) {
    const auto model = test::make_model(test::small_config(), test::lora_training(), group);
    check_decoding(*model, 10, {14, 11, 21});
  });
}

}  // namespace
}  // namespace entune
