#include "distributed/parallel_regions.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/support/thread_communicator.h"

// Every pair against the dense computation on one rank: output, gradient of the input, gradient of the weight. The
// random tensors are made from a seed, so that every rank has the same ones. ThreadCommunicator refuses calls from
// another thread than the rank's own: what passes here communicates on the thread that called backward.

namespace entune::test {
namespace {

class ParallelRegions : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, ParallelRegions, testing::Values(1, 2, 4));

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::TensorOptions(at::kDouble));
}

at::Tensor leaf(const at::Tensor& values) { return values.detach().clone().requires_grad_(true); }

void expect_close(const at::Tensor& found, const at::Tensor& expected, const char* what) {
  ASSERT_TRUE(found.defined()) << what;
  EXPECT_TRUE(at::allclose(found, expected, 1e-12, 1e-12)) << what << "\nfound " << found << "\nexpected " << expected;
}

/// This rank's part of `dim`.
at::Tensor part(const at::Tensor& whole, std::int64_t dim, const Communicator& group) {
  const std::int64_t length = whole.size(dim) / group.size();
  return whole.narrow(dim, group.rank() * length, length);
}

TEST_P(ParallelRegions, ColumnThenRowParallelEqualsDense) {
  // y = tanh(x W1) W2 with W1 split by columns and W2 by rows: copy_to_region in, reduce_from_region out.
  const at::Tensor x = random({3, 8}, 1), w1 = random({8, 12}, 2), w2 = random({12, 5}, 3), weight = random({3, 5}, 4);
  const at::Tensor dense_x = leaf(x), dense_w1 = leaf(w1), dense_w2 = leaf(w2);
  const at::Tensor dense = at::matmul(at::tanh(at::matmul(dense_x, dense_w1)), dense_w2);
  (dense * weight).sum().backward();

  spawn_ranks(GetParam(), [&](Communicator& group) {
    const at::Tensor my_x = leaf(x), my_w1 = leaf(part(w1, 1, group)), my_w2 = leaf(part(w2, 0, group));
    const at::Tensor hidden = at::tanh(at::matmul(copy_to_region(my_x, group), my_w1));
    const at::Tensor y = reduce_from_region(at::matmul(hidden, my_w2), group);
    expect_close(y, dense, "output");
    (y * weight).sum().backward();
    expect_close(my_x.grad(), dense_x.grad(), "gradient of x");
    expect_close(my_w1.grad(), part(dense_w1.grad(), 1, group), "gradient of W1");
    expect_close(my_w2.grad(), part(dense_w2.grad(), 0, group), "gradient of W2");
  });
}

TEST_P(ParallelRegions, GatherAndScatterEqualDense) {
  // Along every dimension, also counted from the end: scatter x, scale each part, gather it again.
  for (const std::int64_t dim : {0, 1, 2, -1, -2}) {
    const at::Tensor x = random({4, 8, 4}, 5), scale = random({4, 8, 4}, 6), weight = random({4, 8, 4}, 7);
    const at::Tensor dense_x = leaf(x), dense_scale = leaf(scale);
    const at::Tensor dense = dense_x * dense_scale;
    (at::tanh(dense) * weight).sum().backward();

    spawn_ranks(GetParam(), [&](Communicator& group) {
      const at::Tensor my_x = leaf(x), my_scale = leaf(part(scale, dim, group));
      const at::Tensor mine = scatter_to_region(my_x, dim, group);
      expect_close(mine, part(x, dim, group), "scattered");
      const at::Tensor y = gather_from_region(mine * my_scale, dim, group);
      EXPECT_TRUE(y.is_contiguous());
      expect_close(y, dense, "output");
      (at::tanh(y) * weight).sum().backward();
      expect_close(my_x.grad(), dense_x.grad(), "gradient of x");
      expect_close(my_scale.grad(), part(dense_scale.grad(), dim, group), "gradient of scale");
    });
  }
}

TEST_P(ParallelRegions, GatherToRegionSumsWhatEveryRankDoesWithTheWhole) {
  // y_r = tanh(x W) scaled for each rank in its own way; the losses of all ranks are added up.
  const at::Tensor x = random({8, 3}, 9), w = random({3, 5}, 10), weight = random({8, 5}, 11);
  const at::Tensor dense_x = leaf(x);
  const at::Tensor y = at::tanh(at::matmul(dense_x, w)) * weight;
  const double ranks = GetParam();
  (y.sum() * (ranks * (ranks + 1) / 2)).backward();

  spawn_ranks(GetParam(), [&](Communicator& group) {
    const at::Tensor mine = leaf(part(x, 0, group));
    const at::Tensor whole = gather_to_region(mine, group);
    expect_close(whole, x, "gathered");
    (at::tanh(at::matmul(whole, w)) * weight * (group.rank() + 1.0)).sum().backward();
    expect_close(mine.grad(), part(dense_x.grad(), 0, group), "gradient of x");
  });
}

/// This rank's part of rows that zero rows fill up to a number that the ranks divide.
at::Tensor padded_part(const at::Tensor& rows, const Communicator& group) {
  const std::int64_t padding = (group.size() - rows.size(0) % group.size()) % group.size();
  return part(at::cat({rows, at::zeros({padding, rows.size(1)}, rows.options())}), 0, group);
}

TEST_P(ParallelRegions, CutRowsEqualDense) {
  // y = tanh(x W1) W2 as above, but x and y are cut by rows: 8 of them divide, the other numbers do not.
  const at::Tensor w1 = random({8, 12}, 2), w2 = random({12, 5}, 3);
  for (const std::int64_t num_rows : {8, 7, 5, 1}) {
    SCOPED_TRACE(num_rows);
    const at::Tensor x = random({num_rows, 8}, 1), weight = random({num_rows, 5}, 4);
    const at::Tensor dense_x = leaf(x), dense_w1 = leaf(w1), dense_w2 = leaf(w2);
    const at::Tensor dense = at::matmul(at::tanh(at::matmul(dense_x, dense_w1)), dense_w2);
    (dense * weight).sum().backward();

    spawn_ranks(GetParam(), [&](Communicator& group) {
      const at::Tensor my_x = leaf(padded_part(x, group)), my_w1 = leaf(part(w1, 1, group)),
                       my_w2 = leaf(part(w2, 0, group));
      const at::Tensor whole = gather_to_region(my_x, group, num_rows);
      expect_close(whole, x, "gathered");
      const at::Tensor y = reduce_scatter_from_region(at::matmul(at::tanh(at::matmul(whole, my_w1)), my_w2), group);
      expect_close(y, padded_part(dense, group), "output");
      (y * padded_part(weight, group)).sum().backward();
      expect_close(my_x.grad(), padded_part(dense_x.grad(), group), "gradient of x");
      expect_close(my_w1.grad(), part(dense_w1.grad(), 1, group), "gradient of W1");
      expect_close(my_w2.grad(), part(dense_w2.grad(), 0, group), "gradient of W2");
    });
  }
}

TEST_P(ParallelRegions, WhatStandsInPaddingRowsChangesNothing) {
  spawn_ranks(GetParam(), [&](Communicator& group) {
    const at::Tensor partial = leaf(at::ones({5, 2}, at::kDouble));
    const at::Tensor mine = reduce_scatter_from_region(partial, group) + 1.0;  // padding rows too
    const at::Tensor whole = gather_to_region(mine, group, 5);
    expect_close(whole, at::full({5, 2}, group.size() + 1.0, at::kDouble), "rows");
    // Each rank takes the sum over the whole, and one over its own rows.
    (whole.sum() + mine.sum() * 3.0).backward();
    expect_close(partial.grad(), at::full({5, 2}, group.size() + 3.0, at::kDouble), "gradient");
  });
}

TEST_P(ParallelRegions, BackwardLeavesTheIncomingGradientAlone) {
  // The two uses of y share one incoming gradient; a sum in place would corrupt the second.
  spawn_ranks(GetParam(), [&](Communicator& group) {
    const at::Tensor a = leaf(at::ones({4}, at::kDouble)), b = leaf(at::ones({4}, at::kDouble));
    const at::Tensor sum = copy_to_region(a, group) + b;
    sum.backward(at::full({4}, 2.0, at::kDouble));
    expect_close(a.grad(), at::full({4}, 2.0 * group.size(), at::kDouble), "through the region");
    expect_close(b.grad(), at::full({4}, 2.0, at::kDouble), "beside the region");
  });
}

TEST_P(ParallelRegions, InputOfForwardStays) {
  spawn_ranks(GetParam(), [&](Communicator& group) {
    const at::Tensor x = at::full({3}, 1.0 + group.rank(), at::kDouble);
    const at::Tensor y = reduce_from_region(x, group);
    expect_close(x, at::full({3}, 1.0 + group.rank(), at::kDouble), "input");
    expect_close(y, at::full({3}, group.size() * (group.size() + 1) / 2.0, at::kDouble), "sum");
  });
}

TEST(ParallelRegionsOfOne, AreFree) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  const at::Tensor x = leaf(random({4, 4}, 8));
  EXPECT_TRUE(copy_to_region(x, *self).is_same(x));
  EXPECT_TRUE(reduce_from_region(x, *self).is_same(x));
  EXPECT_TRUE(gather_from_region(x, 0, *self).is_same(x));
  EXPECT_TRUE(gather_to_region(x, *self).is_same(x));
  EXPECT_TRUE(gather_to_region(x, *self, 4).is_same(x));
  EXPECT_TRUE(reduce_scatter_from_region(x, *self).is_same(x));
  EXPECT_TRUE(scatter_to_region(x, 1, *self).is_same(x));
}

TEST(ParallelRegionsUneven, ScatterRefusesWhatRanksDoNotDivide) {
  EXPECT_THROW(spawn_ranks(2, [](Communicator& group) { scatter_to_region(at::zeros({3}), 0, group); }), c10::Error);
}

}  // namespace
}  // namespace entune::test
