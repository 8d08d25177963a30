#include "distributed/parameter_buckets.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/support/thread_communicator.h"

namespace entune::test {
namespace {

/// Notes the collectives of a group: their name and number of elements.
class NotingCommunicator : public Communicator {
 public:
  explicit NotingCommunicator(Communicator& group) : group_(group) {}
  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    note("reduce", tensor);
    group_.all_reduce(tensor, op);
  }
  void all_gather(at::Tensor& output, const at::Tensor& input) override {
    note("gather", output);
    group_.all_gather(output, input);
  }
  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    note("scatter", input);
    group_.reduce_scatter(output, input);
  }
  void broadcast(at::Tensor& tensor, int root) override { group_.broadcast(tensor, root); }
  void barrier() override { group_.barrier(); }
  std::unique_ptr<Communicator> split(int color, int key) override { return group_.split(color, key); }

  std::vector<std::string> calls;

 private:
  void note(const std::string& call, const at::Tensor& tensor) {
    calls.push_back(call + " " + std::to_string(tensor.numel()));
  }

  Communicator& group_;
};

at::Tensor parameter(at::IntArrayRef shape, float value = 0.0F, at::ScalarType dtype = at::kFloat) {
  return at::full(shape, value, at::TensorOptions(dtype)).requires_grad_(true);
}

/// What rank `rank` adds to the gradient of parameter `index`.
at::Tensor gradient(const at::Tensor& like, int index, int rank) {
  return (at::arange(like.numel(), at::kFloat) + static_cast<float>(100 * index)).view(like.sizes()) *
         static_cast<float>(rank + 1);
}

/// A scalar whose gradient of each parameter is `gradient`.
at::Tensor loss_of(const std::vector<at::Tensor>& parameters, int rank) {
  at::Tensor loss = at::zeros({});
  for (int i = 0; i < std::ssize(parameters); ++i)
    loss = loss + (parameters[i].to(at::kFloat) * gradient(parameters[i], i, rank)).sum();
  return loss;
}

struct BucketCase {
  int ranks;
  BucketOptions options;
};
std::string name_of(const testing::TestParamInfo<BucketCase>& info) {
  const auto& [ranks, options] = info.param;
  return std::to_string(ranks) + (options.shard ? "Sharded" : "Whole") + std::to_string(options.bucket_bytes) +
         (options.overlap ? "Overlapped" : "");
}

class ParameterBucketsTest : public testing::TestWithParam<BucketCase> {};
INSTANTIATE_TEST_SUITE_P(
    Cases, ParameterBucketsTest,
    testing::Values(BucketCase{1, {}}, BucketCase{2, {}}, BucketCase{4, {.bucket_bytes = 1}},
                    BucketCase{1, {.shard = true}}, BucketCase{2, {.shard = true, .bucket_bytes = 600}},
                    BucketCase{3, {.shard = true}}, BucketCase{4, {.shard = true, .bucket_bytes = 1}},
                    BucketCase{1, {.overlap = true}}, BucketCase{2, {.bucket_bytes = 1, .overlap = true}},
                    BucketCase{4, {.shard = true, .bucket_bytes = 600, .overlap = true}}),
    name_of);

TEST_P(ParameterBucketsTest, AStepOverPartsIsTheStepOverWholeSums) {
  const auto [ranks, options] = GetParam();
  spawn_ranks(ranks, [&, options = options](Communicator& group) {
    const std::vector<at::Tensor> parameters = {parameter({2, 3}, 1.0F), parameter({5}, 2.0F), parameter({}, 3.0F),
                                                parameter({40, 4}, 4.0F)};
    std::vector<at::Tensor> expected;
    for (const at::Tensor& p : parameters) expected.push_back(p.detach().clone());
    std::vector<BucketedParameter> bucketed;
    for (int i = 0; i < std::ssize(parameters); ++i) bucketed.push_back({parameters[i], i == 1 ? 7 : 0});
    ParameterBuckets buckets(bucketed, group, options);
    for (int i = 0; i < std::ssize(parameters); ++i) EXPECT_TRUE(at::equal(parameters[i], expected[i])) << i;

    for (int step = 1; step <= 2; ++step) {
      buckets.zero_gradients();
      loss_of(parameters, group.rank()).backward();
      buckets.expect_last_backward();
      loss_of(parameters, group.rank()).backward();
      buckets.reduce();
      {
        const at::NoGradGuard no_grad;
        for (const ParameterBuckets::Part& part : buckets.parts()) {
          EXPECT_TRUE(part.value.is_contiguous() && part.value.sizes() == part.gradient.sizes());
          at::Tensor value = part.value;
          value.sub_(part.gradient, 0.5);
        }
      }
      buckets.gather();
      buckets.await(0, parameters.size());
      for (int i = 0; i < std::ssize(parameters); ++i) {
        for (int rank = 0; rank < group.size(); ++rank) expected[i].sub_(gradient(parameters[i], i, rank));
        EXPECT_TRUE(at::equal(parameters[i], expected[i])) << "step " << step << ", parameter " << i;
      }
    }
  });
}

TEST_P(ParameterBucketsTest, PiecesSayWhereEachElementIs) {
  const auto [ranks, options] = GetParam();
  spawn_ranks(ranks, [&, options = options](Communicator& group) {
    std::vector<BucketedParameter> parameters;
    for (const std::int64_t size : {6, 200, 1, 64}) {
      parameters.push_back({parameter({size})});
      const at::NoGradGuard no_grad;
      parameters.back().value.copy_(at::arange(size) + 1000 * size);
    }
    const ParameterBuckets buckets(parameters, group, options);
    at::Tensor num_found = at::zeros({271}, at::kLong);
    for (std::size_t part = 0; part < buckets.parts().size(); ++part) {
      const at::Tensor& held = buckets.parts()[part].value;
      for (const ParameterBuckets::Piece& piece : buckets.pieces(part)) {
        const at::Tensor value = parameters[piece.parameter].value.detach();
        EXPECT_TRUE(held.narrow(0, piece.offset, piece.length).equal(value.narrow(0, piece.begin, piece.length)));
        std::int64_t before = piece.begin;
        for (std::size_t i = 0; i < piece.parameter; ++i) before += parameters[i].value.numel();
        num_found.narrow(0, before, piece.length).add_(1);
      }
    }
    if (buckets.sharded()) group.all_reduce(num_found, ReduceOp::sum);
    EXPECT_TRUE(num_found.eq(1).all().item<bool>());
  });
}

TEST_P(ParameterBucketsTest, ARankWithoutABackwardPassAddsNothing) {
  const auto [ranks, options] = GetParam();
  spawn_ranks(ranks, [&, options = options](Communicator& group) {
    const std::vector<at::Tensor> parameters = {parameter({3}), parameter({70})};
    ParameterBuckets buckets({{parameters[0]}, {parameters[1]}}, group, options);
    buckets.zero_gradients();
    if (group.rank() == group.size() - 1) {
      buckets.expect_last_backward();
      (parameters[0] * 7.0F).sum().backward();
    }
    buckets.reduce();
    double sum = 0.0;
    for (const ParameterBuckets::Part& part : buckets.parts()) sum += part.gradient.sum().item<double>();
    at::Tensor all = at::full({1}, sum, at::kDouble);
    if (buckets.sharded()) group.all_reduce(all, ReduceOp::sum);
    EXPECT_EQ(all.item<double>(), 21.0);
  });
}

TEST(ParameterBuckets, PartsShareOutWhatIsUpdated) {
  spawn_ranks(4, [](Communicator& group) {
    const at::Tensor p = parameter({1000});
    const ParameterBuckets whole({{p}}, group, {});
    EXPECT_EQ(whole.parts()[0].value.numel(), 1024);
    const at::Tensor q = parameter({1000});
    const ParameterBuckets sharded({{q}}, group, {.shard = true});
    EXPECT_EQ(sharded.parts()[0].value.numel(), 256);
  });
}

TEST(ParameterBuckets, AreFilledFromTheLastParameterToTheFirstAndReducedInThatOrder) {
  spawn_ranks(2, [](Communicator& group) {
    NotingCommunicator noting(group);
    // Slots of 64 elements, 256 bytes; at most two in a bucket. What is larger has one of its own.
    const std::vector<at::Tensor> parameters = {parameter({4}), parameter({64}), parameter({1}), parameter({300}),
                                                parameter({2})};
    ParameterBuckets buckets({{parameters[0]}, {parameters[1]}, {parameters[2]}, {parameters[3]}, {parameters[4]}},
                             noting, {.shard = true, .bucket_bytes = 512, .overlap = true});
    buckets.zero_gradients();
    buckets.expect_last_backward();
    loss_of(parameters, group.rank()).backward();
    const std::vector<std::string> reductions = {"scatter 128", "scatter 384", "scatter 128", "scatter 128"};
    EXPECT_EQ(noting.calls, reductions) << "during the backward pass";
    buckets.reduce();
    EXPECT_EQ(noting.calls, reductions) << "once";
    buckets.gather();
    EXPECT_EQ(noting.calls.size(), 8u);
    EXPECT_EQ(noting.calls.back(), "gather 128");
  });
}

TEST(ParameterBuckets, WithoutOverlapNothingIsReducedBeforeReduce) {
  spawn_ranks(2, [](Communicator& group) {
    NotingCommunicator noting(group);
    const at::Tensor p = parameter({3});
    ParameterBuckets buckets({{p}}, noting, {});
    buckets.zero_gradients();
    buckets.expect_last_backward();
    p.sum().backward();
    EXPECT_TRUE(noting.calls.empty());
    buckets.reduce();
    EXPECT_EQ(noting.calls, std::vector<std::string>{"reduce 128"});
  });
}

TEST(ParameterBuckets, Bfloat16IsSummedInFloat32AndRoundedOnce) {
  for (const bool shard : {false, true}) {
    spawn_ranks(4, [&](Communicator& group) {
      const at::Tensor p = parameter({3}, 0.0F, at::kBFloat16);
      ParameterBuckets buckets({{p}}, group, {.shard = shard});
      buckets.zero_gradients();
      // 256 + 3 = 259 rounds to 260 in bfloat16; added one by one it would stay 256.
      (p * (group.rank() == 0 ? 256.0F : 1.0F)).sum().backward();
      buckets.reduce();
      const ParameterBuckets::Part& part = buckets.parts()[0];
      EXPECT_EQ(part.gradient.scalar_type(), at::kBFloat16);
      if (group.rank() == 0) {
        EXPECT_TRUE(at::equal(part.gradient.narrow(0, 0, 3).to(at::kFloat), at::full({3}, 260.0F)));
      }
    });
  }
}

TEST(ParameterBuckets, OutliveTheirParametersGradientsOnly) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  const at::Tensor p = parameter({3}, 5.0F);
  { const ParameterBuckets buckets({{p}}, *self, {.overlap = true}); }
  EXPECT_FALSE(p.grad().defined());
  EXPECT_TRUE(at::equal(p, at::full({3}, 5.0F)));
  p.sum().backward();  // no hook is left
  EXPECT_TRUE(at::equal(p.grad(), at::ones({3})));
}

TEST(ParameterBuckets, RefuseWhatIsNotTrainedAndAGradientThatLeftItsBucket) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  EXPECT_THROW(ParameterBuckets({{at::zeros({2})}}, *self, {}), c10::Error);
  const at::Tensor p = parameter({3});
  ParameterBuckets buckets({{p}}, *self, {});
  p.mutable_grad() = at::ones({3});
  EXPECT_THROW(buckets.zero_gradients(), c10::Error);
}

}  // namespace
}  // namespace entune::test
