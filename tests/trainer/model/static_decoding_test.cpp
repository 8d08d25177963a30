// Decoding at fixed addresses and shapes, as GPUs replay it, beside the decoding that follows the cache.

#include "trainer/model/static_decoding.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/model/small_models.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

/// {leaves, capacity, prefix}.
using Shape = std::vector<std::int64_t>;

class StaticDecodingTest : public testing::Test {
 protected:
  /// Everything that a step reads and that is not computed in it.
  static std::set<const void*> addresses(const at::Tensor& ids, const KvCache& cache) {
    std::set<const void*> result = {ids.const_data_ptr(), cache.lengths.const_data_ptr(),
                                    cache.rotary.cos.const_data_ptr(), cache.rotary.sin.const_data_ptr()};
    for (const KvCache::Layer& layer : cache.layers) {
      for (const at::Tensor& t : {layer.keys, layer.values, layer.prefix_keys, layer.prefix_values}) {
        if (t.defined()) result.insert(t.const_data_ptr());
      }
    }
    return result;
  }

  /// Greedy answers of both ways, token by token, while leaves leave.
  void check(std::int64_t prefix, const std::vector<std::int64_t>& lengths, std::int64_t steps) {
    SCOPED_TRACE(testing::Message() << lengths.size() << " leaves, prefix " << prefix);
    const PackedBatch batch =
        test::pack(test::make_sequences(prefix, lengths, model_->config().vocab_size), prefix, 1, 0.0F);
    KvCache plain, placed;
    at::Tensor logits = model_->prefill(batch, steps, plain);
    model_->prefill(batch, steps, placed);
    for (std::int64_t step = 0; step < steps; ++step) {
      at::Tensor next = logits.argmax(-1);
      if (step % 3 == 2 && plain.num_leaves() > 1) {  // the first leaf leaves, and the others change their order
        const at::Tensor rows = at::arange(1, plain.num_leaves(), at::kLong).flip(0);
        plain.keep(rows);
        placed.keep(rows);
        next = next.index_select(0, rows);
      }
      logits = model_->decode(next, plain);
      ASSERT_TRUE(fixed_.takes(placed));
      const at::Tensor found = fixed_.decode(next, placed);
      placed.lengths = placed.lengths.add(1);
      test::expect_close(found, logits, 1e-5, "logits");
      EXPECT_TRUE(at::equal(found.argmax(-1), logits.argmax(-1)));
    }
  }

  const std::unique_ptr<Communicator> self_ = make_self_communicator();
  std::unique_ptr<DecoderModel> model_ = test::make_model(test::small_config(), test::lora_training(), *self_);
  std::map<Shape, std::set<std::set<const void*>>> met_;
  StaticDecoding fixed_{[this](const at::Tensor& ids, const KvCache& cache) {
    EXPECT_EQ(cache.num_leaves(), ids.size(0));
    met_[{ids.size(0), cache.capacity, cache.prefix_tokens}].insert(addresses(ids, cache));
    return model_->decode_step(ids, cache);
  }};
};

TEST_F(StaticDecodingTest, IsDecodingBatchAfterBatch) {
  check(10, {14, 11, 21, 13, 12}, 14);
  check(10, {12, 15}, 5);  // what the first batch left behind does not matter
  check(0, {5, 1, 12}, 6);
  check(10, {11, 18, 12}, 8);
  check(9, {10, 9, 12}, 4);  // a leaf that is nothing but the prefix
  std::vector<Shape> shapes;
  for (const auto& [shape, addresses] : met_) {
    shapes.push_back(shape);
    EXPECT_THAT(addresses, SizeIs(1)) << "a recording would read what is no longer there";
  }
  EXPECT_THAT(shapes, ElementsAre(Shape{1, 128, 0}, Shape{1, 128, 10}, Shape{2, 128, 0}, Shape{2, 128, 9},
                                  Shape{2, 128, 10}, Shape{4, 128, 0}, Shape{4, 128, 9}, Shape{4, 128, 10},
                                  Shape{8, 128, 10}));
}

TEST_F(StaticDecodingTest, SeesAWindow) {
  LlamaConfig config = test::small_config();
  config.sliding_window = 7;
  model_ = test::make_model(config, test::lora_training(), *self_);
  check(10, {14, 11, 21}, 6);
  check(0, {5, 1, 12}, 6);
}

TEST_F(StaticDecodingTest, GrowsWithTheCaches) {
  check(4, {6, 5}, 3);
  check(12, std::vector<std::int64_t>(19, 14), 3);  // more leaves and a longer prefix
  check(4, {6, 5}, 150);                            // more room
  check(4, {6, 5}, 3);
}

TEST_F(StaticDecodingTest, HoldsOneCacheAtATime) {
  const PackedBatch batch = test::pack(test::make_sequences(4, {6, 5}, model_->config().vocab_size), 4, 1, 0.0F);
  KvCache second;
  at::Tensor next = model_->prefill(batch, 3, second).argmax(-1);
  {
    KvCache first;
    model_->prefill(batch, 3, first);
    fixed_.decode(next, first);
    EXPECT_TRUE(fixed_.takes(first));
    EXPECT_FALSE(fixed_.takes(second));
    fixed_.clear();
    EXPECT_TRUE(fixed_.takes(first));
    first.lengths = first.lengths.add(1);
    fixed_.decode(next, first);
  }
  EXPECT_TRUE(fixed_.takes(second));
  KvCache many;
  model_->prefill(test::pack(test::make_sequences(0, std::vector<std::int64_t>(65, 1), 61), 0, 1, 0.0F), 1, many);
  EXPECT_FALSE(fixed_.takes(many));
}

TEST_F(StaticDecodingTest, TakesUpAgainWhatWasCleared) {
  const PackedBatch batch = test::pack(test::make_sequences(4, {6, 5}, model_->config().vocab_size), 4, 1, 0.0F);
  KvCache plain, placed;
  at::Tensor logits = model_->prefill(batch, 4, plain);
  model_->prefill(batch, 4, placed);
  for (int step = 0; step < 4; ++step) {
    const at::Tensor next = logits.argmax(-1);
    logits = model_->decode(next, plain);
    test::expect_close(fixed_.decode(next, placed), logits, 1e-5, "logits");
    placed.lengths = placed.lengths.add(1);
    fixed_.clear();
  }
}

}  // namespace
}  // namespace entune
