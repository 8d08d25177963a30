// The two halves of cross-entropy against log_softmax and its autograd in float64, over the whole vocabulary and over
// parts of it.

#include "trainer/kernels/cross_entropy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/trainer/kernels/relative_error.h"

namespace entune {
namespace {

using test::expect_close;

constexpr std::int64_t kRows = 7, kVocabulary = 21;
/// Where the parts begin and the last one ends: the whole, two parts, and one of them empty.
const std::vector<std::vector<std::int64_t>> kCuts = {{0, 21}, {0, 13, 21}, {0, 13, 13, 20, 21}};

class CrossEntropyByType : public testing::TestWithParam<at::ScalarType> {
 protected:
  double tolerance() const { return GetParam() == at::kBFloat16 ? 3e-3 : GetParam() == at::kFloat ? 1e-6 : 1e-14; }
};
INSTANTIATE_TEST_SUITE_P(Types, CrossEntropyByType, testing::Values(at::kFloat, at::kDouble, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST_P(CrossEntropyByType, IsLogSoftmaxOverAnyParts) {
  at::manual_seed(4);
  const at::Tensor logits = at::randn({kRows, kVocabulary}).mul_(20.0).to(GetParam());
  const at::Tensor targets = at::tensor({0, 12, 13, 20, 5, 13, 1}, at::kLong);
  const auto wide = GetParam() == at::kDouble ? at::kDouble : at::kFloat;
  for (const bool weighted : {false, true}) {
    const at::Tensor weights = (weighted ? at::rand({kRows}) : at::ones({kRows})).to(wide);
    const at::Tensor exact = logits.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true).set_requires_grad(true);
    const at::Tensor losses = -at::log_softmax(exact, -1).gather(1, targets.unsqueeze(1)).squeeze(1);
    torch::autograd::backward({losses.mul(weights.to(at::kDouble)).sum()}, {});
    for (const std::vector<std::int64_t>& cuts : kCuts) {
      SCOPED_TRACE(testing::Message() << cuts.size() - 1 << " parts, weighted " << weighted);
      std::vector<LogitRows> parts;
      at::Tensor lse, target_logit = at::zeros({kRows}, wide);
      for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        parts.push_back(read_logits(logits.narrow(1, cuts[i], cuts[i + 1] - cuts[i]).clone(), targets, cuts[i]));
        EXPECT_EQ(parts.back().lse.scalar_type(), wide);
        lse = lse.defined() ? at::logaddexp(lse, parts.back().lse) : parts.back().lse;
        target_logit.add_(parts.back().target_logit);
      }
      expect_close(lse - target_logit, losses, GetParam() == at::kDouble ? 1e-14 : 1e-6, "losses");
      std::vector<at::Tensor> gradients;
      for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        gradients.push_back(logit_gradients(parts[i], targets, cuts[i], lse, weights, GetParam()));
        EXPECT_EQ(gradients.back().scalar_type(), GetParam());
      }
      expect_close(at::cat(gradients, 1), exact.grad(), tolerance(), "gradient");
    }
  }
}

/// A sure row: e^(logit - lse) and 1 agree to more digits than bfloat16 has.
TEST(CrossEntropy, TheDifferenceIsTakenBeforeItIsRounded) {
  const at::Tensor logits = at::tensor({12.0f, 2.0f, 1.0f}).view({1, 3}).to(at::kBFloat16),
                   target = at::zeros({1}, at::kLong);
  LogitRows rows = read_logits(logits.clone(), target, 0);
  const at::Tensor lse = rows.lse;
  const at::Tensor found = logit_gradients(std::move(rows), target, 0, lse, at::ones({1}), at::kBFloat16);
  at::Tensor expected = at::softmax(logits.to(at::kDouble), -1);
  expected[0][0] -= 1.0;
  expect_close(found, expected, 3e-3, "gradient");
}

TEST(CrossEntropy, AnEmptyPartKnowsNothing) {
  const LogitRows rows = read_logits(at::empty({2, 0}), at::zeros({2}, at::kLong), 5);
  EXPECT_TRUE(rows.lse.isneginf().all().item<bool>());
  EXPECT_EQ(rows.target_logit.abs().sum().item<double>(), 0.0);
}

TEST(CrossEntropy, ChunkRowsAreBounded) {
  EXPECT_EQ(cross_entropy_chunk_rows(1 << 14), 1024);
  EXPECT_EQ(cross_entropy_chunk_rows(0), 1 << 24);
  EXPECT_EQ(cross_entropy_chunk_rows(std::int64_t{1} << 40), 16);
}

}  // namespace
}  // namespace entune
