// Logits, loss, every gradient and greedy answers of each family against transformers and PEFT, on 1, 2 and 4 tensor ranks
// (make_golden.py describes the files).

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/support/thread_communicator.h"
#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/model/golden_models.h"
#include "tests/trainer/model/small_models.h"
#include "tests/trainer/weights/read_tensor.h"
#include "trainer/weights/hugging_face.h"

namespace entune {
namespace {

using test::expect_close;
using test::Sequence;

constexpr double kTolerance = 1e-5;
constexpr std::int64_t kShared = 5;
constexpr int kTensorSizes[] = {1, 2, 4};

class GoldenModel : public testing::TestWithParam<std::string> {
 protected:
  GoldenModel()
      : folder_(test::golden_folder(ENTUNE_SOURCE_DIR, "model") / GetParam()),
        golden_(folder_ / "golden.safetensors") {
    for (const char* name : {"ids.0", "ids.1"}) sequences_.push_back(integers(name));
    supervised_ = integers("supervised")[0];
  }

  at::Tensor golden(const std::string& name, const Shard& shard = {}) const {
    return test::read_tensor(golden_, name, shard);
  }
  Sequence integers(const std::string& name) const { return test::read_integers(golden_, name); }

  std::unique_ptr<DecoderModel> load(const ModelOptions& options, Communicator& axis) const {
    auto model = std::make_unique<DecoderModel>(read_llama_config(folder_), options, axis);
    load_hugging_face_weights(folder_, *model);
    at::NoGradGuard no_grad;
    for (Parameter& p : model->parameters()) {
      if (p.is_adapter) p.value.copy_(golden("lora." + p.name, p.shard));
    }
    return model;
  }

  /// Loss and this rank's part of every gradient.
  static test::LossAndGradients run(DecoderModel& model, const PackedBatch& batch, Communicator& axis) {
    test::LossAndGradients result = test::run(model, {batch});
    for (const Parameter& p : model.parameters()) {
      if (p.value.requires_grad() && p.partial_gradient) axis.all_reduce(result.gradients.at(p.name), ReduceOp::sum);
    }
    return result;
  }

  /// Of the ranks' parts together, as one tensor.
  void expect_whole_close(const at::Tensor& part, const std::string& name, const Shard& shard,
                          Communicator& axis) const {
    const at::Tensor expected = golden(name, shard);
    ASSERT_EQ(part.sizes(), expected.sizes()) << name;
    at::Tensor squares = at::stack({(part - expected).to(at::kDouble).square().sum(),
                                    expected.to(at::kDouble).square().sum()});
    if (shard.dim >= 0) axis.all_reduce(squares, ReduceOp::sum);
    EXPECT_LE(squares[0].item<double>(), kTolerance * kTolerance * squares[1].item<double>()) << name;
  }

  /// Shared and plain packing, each with every checkpointing and the residual stream whole and cut.
  void check(ModelOptions options, const std::string& prefix, Communicator& axis) const {
    for (const auto& [checkpointing, sequence_parallel] : test::ways_to_train(axis)) {
      options.checkpointing = checkpointing;
      options.sequence_parallel = sequence_parallel;
      const std::unique_ptr<DecoderModel> model = load(options, axis);
      for (const std::int64_t shared : {std::int64_t{0}, kShared}) {
        SCOPED_TRACE(testing::Message() << "rank " << axis.rank() << " of " << axis.size() << ", prefix " << shared
                                        << ", checkpointing " << static_cast<int>(checkpointing) << ", rows cut "
                                        << sequence_parallel);
        const PackedBatch batch = test::pack(sequences_, shared, supervised_, 0.0F);
        const test::LossAndGradients result = run(*model, batch, axis);
        EXPECT_NEAR(result.loss, golden(prefix + "loss").item<double>(), kTolerance * result.loss);
        EXPECT_EQ(result.gradients.size(), options.lora ? 2U * 7U * 2U : model->parameters().size());
        for (const Parameter& p : model->parameters()) {
          if (!p.value.requires_grad()) continue;
          expect_whole_close(result.gradients.at(p.name), prefix + "grad." + p.name, p.shard, axis);
        }
        for (std::size_t b = 0; b < sequences_.size(); ++b) {
          expect_close(model->logits(batch, rows_of(batch, b)), golden(prefix + "logits." + std::to_string(b)),
                       kTolerance, "logits");
        }
      }
    }
  }

  static std::vector<std::int64_t> rows_of(const PackedBatch& batch, std::size_t leaf) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < batch.prefix_tokens; ++i) rows.push_back(i);
    for (std::int64_t i = batch.leaf_offsets[leaf]; i < batch.leaf_offsets[leaf + 1]; ++i) rows.push_back(i);
    return rows;
  }

  std::filesystem::path folder_;
  SafetensorsReader golden_;
  std::vector<Sequence> sequences_;
  std::int64_t supervised_ = 0;
};

TEST_P(GoldenModel, FullFineTuningIsTransformers) {
  for (const int ranks : kTensorSizes)
    test::spawn_ranks(ranks, [&](Communicator& axis) { check(test::full_training(), "", axis); });
}

TEST_P(GoldenModel, LoraIsPeft) {
  for (const int ranks : kTensorSizes)
    test::spawn_ranks(ranks, [&](Communicator& axis) { check(test::lora_training(), "lora_", axis); });
}

TEST_P(GoldenModel, GreedyAnswersAreTransformers) {
  for (const int ranks : kTensorSizes) {
    test::spawn_ranks(ranks, [&](Communicator& axis) {
      const std::unique_ptr<DecoderModel> model = load({}, axis);
      for (const std::int64_t shared : {std::int64_t{0}, kShared}) {
        std::vector<Sequence> answers(sequences_.size());
        const auto num_tokens = static_cast<std::int64_t>(integers("greedy.0").size());
        KvCache cache;
        at::Tensor logits = model->prefill(test::pack(sequences_, shared, supervised_, 0.0F), num_tokens, cache);
        for (std::int64_t i = 0; i < num_tokens; ++i) {
          const at::Tensor next = logits.argmax(-1);
          for (std::size_t b = 0; b < answers.size(); ++b)
            answers[b].push_back(next[static_cast<std::int64_t>(b)].item<std::int64_t>());
          logits = model->decode(next, cache);
        }
        EXPECT_EQ(answers[0], integers("greedy.0")) << ranks << " ranks, prefix " << shared;
        EXPECT_EQ(answers[1], integers("greedy.1")) << ranks << " ranks, prefix " << shared;
      }
    });
  }
}

/// Squared error over squared size, of all pairs together.
class SquaredError {
 public:
  /// Of tensors that every rank holds whole.
  void add(const at::Tensor& actual, const at::Tensor& expected) { sums_ += sums(actual, expected); }
  /// Of this rank's parts; all ranks' together where they are parts.
  void add_part(const at::Tensor& actual, const at::Tensor& expected, const Shard& shard, Communicator& axis) {
    at::Tensor squares = sums(actual, expected);
    if (shard.dim >= 0) axis.all_reduce(squares, ReduceOp::sum);
    sums_ += squares;
  }
  double normalized() const { return sums_[0].item<double>() / sums_[1].item<double>(); }

 private:
  static at::Tensor sums(const at::Tensor& actual, const at::Tensor& expected) {
    EXPECT_EQ(actual.sizes(), expected.sizes());
    const at::Tensor wide = expected.to(at::kDouble);
    return at::stack({(actual.detach().to(at::kDouble) - wide).square().sum(), wide.square().sum()});
  }

  at::Tensor sums_ = at::zeros({2}, at::kDouble);
};

/// In bfloat16 the squared distance from the float32 values, over their squared size, is at most 2e-3 for logits and
/// 1e-2 for all gradients together, or twice that of transformers in bfloat16 where that is more (it has 1e-4 to 1e-3
/// and 4e-4 to 2e-2 here; ours is 0.1 to 1.8 times that, once 4.5 times, with a median below 1). With adapters PEFT in
/// bfloat16 is the measure, and the floor for gradients is 5e-2: with these weights and three other sets it has 7e-4 to
/// 4e-2, once 0.4; ours is at most 4.8 times that.
TEST_P(GoldenModel, Bfloat16IsAsNearAsTransformers) {
  const auto check_near = [&](ModelOptions options, const std::string& prefix, double gradients_floor,
                              Communicator& axis, bool sequence_parallel) {
    const at::Tensor theirs = golden(prefix + "bfloat16_nmse");
    const double logits_bound = std::max(2e-3, 2.0 * theirs[0].item<double>()),
                 gradients_bound = std::max(gradients_floor, 2.0 * theirs[1].item<double>());
    options.dtype = at::kBFloat16;
    options.sequence_parallel = sequence_parallel;
    const std::unique_ptr<DecoderModel> model = load(options, axis);
    for (const std::int64_t shared : {std::int64_t{0}, kShared}) {
      SCOPED_TRACE(testing::Message() << prefix << "rank " << axis.rank() << " of " << axis.size() << ", prefix "
                                      << shared << ", rows cut " << sequence_parallel);
      const PackedBatch batch = test::pack(sequences_, shared, supervised_, 0.0F);
      SquaredError logits, gradients;
      for (std::size_t b = 0; b < sequences_.size(); ++b)
        logits.add(model->logits(batch, rows_of(batch, b)), golden(prefix + "logits." + std::to_string(b)));
      const test::LossAndGradients result = run(*model, batch, axis);
      for (const Parameter& p : model->parameters()) {
        if (!p.value.requires_grad()) continue;
        gradients.add_part(result.gradients.at(p.name), golden(prefix + "grad." + p.name, p.shard), p.shard, axis);
      }
      EXPECT_LT(logits.normalized(), logits_bound);
      EXPECT_LT(gradients.normalized(), gradients_bound);
      EXPECT_GT(logits.normalized(), 0.0);
    }
  };
  for (const int ranks : kTensorSizes) {
    test::spawn_ranks(ranks, [&](Communicator& axis) {
      for (const bool sequence_parallel : {false, true}) {
        if (sequence_parallel && ranks == 1) continue;
        check_near(test::full_training(), "", 1e-2, axis, sequence_parallel);
        check_near(test::lora_training(), "lora_", 5e-2, axis, sequence_parallel);
      }
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenModel, testing::ValuesIn(test::golden_models(ENTUNE_SOURCE_DIR)),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace entune
