#include "distributed/gradient_reducer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/thread_communicator.h"

namespace entune::test {
namespace {

/// Counts the reductions of a group.
class CountingCommunicator : public Communicator {
 public:
  explicit CountingCommunicator(Communicator& group) : group_(group) {}
  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    EXPECT_EQ(tensor.scalar_type(), at::kFloat);
    sizes.push_back(tensor.numel());
    group_.all_reduce(tensor, op);
  }
  void all_gather(at::Tensor& output, const at::Tensor& input) override { group_.all_gather(output, input); }
  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override { group_.reduce_scatter(output, input); }
  void broadcast(at::Tensor& tensor, int root) override { group_.broadcast(tensor, root); }
  void barrier() override { group_.barrier(); }
  std::unique_ptr<Communicator> split(int color, int key) override { return group_.split(color, key); }

  std::vector<std::int64_t> sizes;

 private:
  Communicator& group_;
};

at::Tensor parameter(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
  return at::zeros(shape, dtype).requires_grad_(true);
}

/// Gradient of parameter `index` on `rank`.
at::Tensor gradient(const at::Tensor& like, int index, int rank) {
  return (at::arange(like.numel(), at::kFloat) + static_cast<float>(100 * index)).view(like.sizes()) *
         static_cast<float>(rank + 1);
}

class GradientReducerTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, GradientReducerTest, testing::Values(1, 2, 4));

TEST_P(GradientReducerTest, EqualsDirectSums) {
  for (const std::int64_t bucket_bytes : {std::int64_t{1}, std::int64_t{48}, std::int64_t{25} << 20}) {
    spawn_ranks(GetParam(), [&](Communicator& group) {
      const std::vector<at::Tensor> parameters = {parameter({2, 3}), parameter({5}), parameter({}), parameter({4, 2})};
      for (int i = 0; i < 4; ++i) {
        parameters[i].mutable_grad() = gradient(parameters[i], i, group.rank());
      }
      // Not contiguous, as a transposed product leaves it.
      parameters[3].mutable_grad() = gradient(parameters[3], 3, group.rank()).t().contiguous().t();
      GradientReducer(parameters, group, bucket_bytes).reduce();
      for (int i = 0; i < 4; ++i) {
        at::Tensor expected = at::zeros_like(parameters[i], at::kFloat);
        for (int rank = 0; rank < group.size(); ++rank) {
          expected += gradient(parameters[i], i, rank);
        }
        EXPECT_TRUE(at::equal(parameters[i].grad(), expected)) << i << "\n" << parameters[i].grad() << expected;
      }
    });
  }
}

TEST_P(GradientReducerTest, MissingGradientCountsAsZeroAndIsThereAfterwards) {
  spawn_ranks(GetParam(), [&](Communicator& group) {
    const std::vector<at::Tensor> parameters = {parameter({3}), parameter({2})};
    if (group.rank() == group.size() - 1) {
      parameters[0].mutable_grad() = at::full({3}, 7.0f);
    }
    GradientReducer(parameters, group).reduce();
    EXPECT_TRUE(at::equal(parameters[0].grad(), at::full({3}, 7.0f)));
    EXPECT_TRUE(at::equal(parameters[1].grad(), at::zeros({2})));
  });
}

TEST(GradientReducer, Bfloat16IsSummedInFloat32AndRoundedOnce) {
  spawn_ranks(4, [&](Communicator& group) {
    const std::vector<at::Tensor> parameters = {parameter({3}, at::kBFloat16), parameter({2})};
    // 256 + 3 = 259 rounds to 260 in bfloat16; added one by one it would stay 256.
    parameters[0].mutable_grad() = at::full({3}, group.rank() == 0 ? 256.0f : 1.0f).to(at::kBFloat16);
    parameters[1].mutable_grad() = at::full({2}, 0.1f);
    GradientReducer(parameters, group).reduce();
    EXPECT_EQ(parameters[0].grad().scalar_type(), at::kBFloat16);
    EXPECT_TRUE(at::equal(parameters[0].grad().to(at::kFloat), at::full({3}, 260.0f))) << parameters[0].grad();
    EXPECT_TRUE(at::allclose(parameters[1].grad(), at::full({2}, 0.4f)));
  });
}

TEST(GradientReducer, FillsBucketsInOrder) {
  spawn_ranks(2, [](Communicator& group) {
    CountingCommunicator counting(group);
    // 4 bytes an element, at most 40 bytes a bucket; what is larger travels alone.
    const std::vector<at::Tensor> parameters = {parameter({4}), parameter({6}), parameter({1}), parameter({30}),
                                                parameter({2})};
    GradientReducer(parameters, counting, 40).reduce();
    EXPECT_EQ(counting.sizes, (std::vector<std::int64_t>{10, 1, 30, 2}));
  });
}

TEST(GradientReducer, RefusesWhatIsNotTrained) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  EXPECT_THROW(GradientReducer({at::zeros({2})}, *self), c10::Error);
}

}  // namespace
}  // namespace entune::test
