// The plain form of attention, which GPUs run where their flash operators do not fit, and the merge: both run on CPUs
// too.

#include "trainer/kernels/dense_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/trainer/kernels/relative_error.h"
#include "trainer/kernels/attention_merge.h"

namespace entune {
namespace {

using test::expect_close;

constexpr double kTolerance = 1e-5;

struct Inputs {
  at::Tensor q, k, v, grad;
};

Inputs inputs(std::int64_t heads, std::int64_t kv_heads, std::int64_t rows, std::int64_t keys, at::ScalarType dtype) {
  at::manual_seed(3);
  const auto random = [&](std::int64_t h, std::int64_t n) { return at::randn({2, h, n, 16}).to(dtype); };
  return {random(heads, rows), random(kv_heads, keys), random(kv_heads, keys), random(heads, rows)};
}

void expect_same(const DenseAttention& found, const DenseAttention& expected, double tolerance) {
  expect_close(found.out, expected.out, tolerance, "out");
  expect_close(found.lse, expected.lse, tolerance, "log-sum-exp");
}

void expect_same(const AttentionGradients& found, const AttentionGradients& expected, double tolerance) {
  expect_close(found.q, expected.q, tolerance, "dq");
  expect_close(found.k, expected.k, tolerance, "dk");
  expect_close(found.v, expected.v, tolerance, "dv");
}

TEST(DenseAttention, ThePlainFormIsTheFlashOperator) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16}) {
    const double tolerance = dtype == at::kBFloat16 ? 2e-2 : kTolerance;
    for (const std::int64_t kv_heads : {1, 2, 6}) {
      for (const bool causal : {false, true}) {
        SCOPED_TRACE(testing::Message() << c10::toString(dtype) << ", " << kv_heads << " key heads, causal " << causal);
        const Inputs x = inputs(6, kv_heads, 13, causal ? 13 : 29, dtype);
        const DenseAttention expected = dense_attention(x.q, x.k, x.v, causal);
        const DenseAttention found = plain_attention(x.q, x.k, x.v, causal);
        EXPECT_EQ(found.out.scalar_type(), dtype);
        EXPECT_EQ(found.lse.scalar_type(), expected.lse.scalar_type());
        expect_same(found, expected, tolerance);
        expect_same(plain_attention_backward(x.grad, x.q, x.k, x.v, expected, causal),
                    dense_attention_backward(x.grad, x.q, x.k, x.v, expected, causal), tolerance);
      }
    }
  }
}

TEST(DenseAttention, AMaskIsAddedToTheScores) {
  const Inputs x = inputs(4, 2, 9, 11, at::kFloat);
  // Seen by row i: keys from i - 2 to i + 1.
  const at::Tensor distance = at::arange(11).unsqueeze(0).sub(at::arange(9).unsqueeze(1));
  const at::Tensor mask = at::zeros({9, 11}).masked_fill_(distance.lt(-2).logical_or_(distance.gt(1)),
                                                          -std::numeric_limits<double>::infinity());
  const DenseAttention expected = dense_attention(x.q, x.k, x.v, false, mask);
  expect_same(plain_attention(x.q, x.k, x.v, false, mask), expected, kTolerance);
  expect_same(plain_attention_backward(x.grad, x.q, x.k, x.v, expected, false, mask),
              dense_attention_backward(x.grad, x.q, x.k, x.v, expected, false, mask), kTolerance);
  const at::Tensor by_sample = mask.view({1, 1, 9, 11}).expand({2, 4, 9, 11});
  expect_same(plain_attention(x.q, x.k, x.v, false, by_sample), expected, kTolerance);
}

class Blocks : public testing::TestWithParam<at::ScalarType> {};
INSTANTIATE_TEST_SUITE_P(Types, Blocks, testing::Values(at::kFloat, at::kDouble, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST_P(Blocks, OfKeysMergeToTheWholeInBothDirections) {
  const double tolerance = GetParam() == at::kBFloat16 ? 2e-2 : kTolerance;
  Inputs x = inputs(6, 2, 13, 29, GetParam());
  x.k.narrow(2, 0, 20).mul_(3.0);  // neither block alone decides
  const DenseAttention whole = plain_attention(x.q, x.k, x.v, false);
  const auto part = [&](const at::Tensor& t, std::int64_t begin, std::int64_t n) { return t.narrow(2, begin, n); };
  const DenseAttention first = plain_attention(x.q, part(x.k, 0, 20), part(x.v, 0, 20), false),
                       second = plain_attention(x.q, part(x.k, 20, 9), part(x.v, 20, 9), false);
  DenseAttention merged{first.out.clone(), first.lse.clone()};
  for (std::int64_t sample = 0; sample < 2; ++sample) {
    // [H, n, D] -> [n, H, D]: strides that are not those of a tensor of this shape.
    at::Tensor out = merged.out[sample].transpose(0, 1), lse = merged.lse[sample].t();
    merge_attention_(out, lse, second.out[sample].transpose(0, 1), second.lse[sample].t());
  }
  expect_same(merged, whole, tolerance);

  const AttentionGradients of_first =
                               plain_attention_backward(x.grad, x.q, part(x.k, 0, 20), part(x.v, 0, 20), merged, false),
                           of_second =
                               plain_attention_backward(x.grad, x.q, part(x.k, 20, 9), part(x.v, 20, 9), merged, false);
  const AttentionGradients expected = plain_attention_backward(x.grad, x.q, x.k, x.v, whole, false);
  expect_same({of_first.q + of_second.q, at::cat({of_first.k, of_second.k}, 2), at::cat({of_first.v, of_second.v}, 2)},
              expected, tolerance);
}

TEST(AttentionMerge, HoldsWhereOneSideIsAllOrNothing) {
  at::Tensor out = at::ones({3, 1, 4}), lse = at::tensor({0.0f, -1000.0f, 1000.0f}).view({3, 1});
  merge_attention_(out, lse, at::full({3, 1, 4}, 2.0f), at::zeros({3, 1}));
  expect_close(out, at::tensor({1.5f, 2.0f, 1.0f}).view({3, 1, 1}).expand({3, 1, 4}), 1e-7, "out");
  expect_close(lse, at::tensor({std::log(2.0f), 0.0f, 1000.0f}).view({3, 1}), 1e-7, "log-sum-exp");
}

}  // namespace
}  // namespace entune
