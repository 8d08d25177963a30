// Cross-entropy over a vocabulary that ranks share, against ATen's in float64.

#include "trainer/layers/vocab_parallel.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/support/thread_communicator.h"
#include "tests/trainer/kernels/relative_error.h"

namespace entune {
namespace {

constexpr std::int64_t kRows = 40, kHidden = 12, kVocabulary = 23;  // divides by no number of ranks

struct Problem {
  at::Tensor hidden, weight, targets, weights;
};

Problem make_problem() {
  at::manual_seed(5);
  return {at::randn({kRows, kHidden}), at::randn({kVocabulary, kHidden}), at::randint(0, kVocabulary, {kRows}),
          at::rand({kRows})};
}

struct Gradients {
  double loss;
  at::Tensor hidden, weight;
};

Gradients reference(const Problem& problem) {
  const at::Tensor hidden = problem.hidden.to(at::kDouble).requires_grad_();
  const at::Tensor weight = problem.weight.to(at::kDouble).requires_grad_();
  const at::Tensor log_p = at::log_softmax(at::mm(hidden, weight.t()), -1);
  const at::Tensor loss = -log_p.gather(1, problem.targets.unsqueeze(1)).squeeze(1).mul(problem.weights).sum();
  torch::autograd::backward({loss}, {});
  return {loss.item<double>(), hidden.grad(), weight.grad()};
}

void expect_equal(const Problem& problem, const Gradients& expected, int num_ranks, double tolerance) {
  test::spawn_ranks(num_ranks, [&](Communicator& group) {
    SCOPED_TRACE(testing::Message() << "rank " << group.rank() << " of " << num_ranks);
    const Shard shard = num_ranks > 1 ? Shard{0, group.rank(), group.size()} : Shard{};
    const std::int64_t begin = shard.begin(kVocabulary), size = shard.end(kVocabulary) - begin;
    const at::Tensor hidden = problem.hidden.clone().requires_grad_();
    at::Tensor part = at::zeros({shard.part(kVocabulary), kHidden}, problem.weight.options());
    part.narrow(0, 0, size).copy_(problem.weight.narrow(0, begin, size));
    part.requires_grad_();
    const at::Tensor loss =
        vocab_parallel_cross_entropy(hidden, part, problem.targets, problem.weights, kVocabulary, shard, {group});
    torch::autograd::backward({loss}, {});
    EXPECT_NEAR(loss.item<double>(), expected.loss, tolerance * expected.loss);
    test::expect_close(hidden.grad(), expected.hidden, tolerance, "hidden");
    test::expect_close(part.grad().narrow(0, 0, size), expected.weight.narrow(0, begin, size), tolerance, "weight");
    EXPECT_EQ(part.grad().narrow(0, size, part.size(0) - size).count_nonzero().item<std::int64_t>(), 0) << "padding";
  });
}

TEST(VocabParallelCrossEntropy, IsTheSameOnAnyNumberOfRanks) {
  const Problem problem = make_problem();
  const Gradients expected = reference(problem);
  for (const int ranks : {1, 2, 3, 4}) expect_equal(problem, expected, ranks, 1e-5);
}

/// Where the model is sure of nearly every target, what is left to learn from is the small difference of two numbers near
/// 1: it must not drown in bfloat16's rounding of them.
TEST(VocabParallelCrossEntropy, KeepsSmallGradientsInBfloat16) {
  Problem problem = make_problem();
  // The target's logit leads by about 10.
  problem.hidden = problem.weight.index_select(0, problem.targets).mul(1.5).to(at::kBFloat16);
  problem.weight = problem.weight.to(at::kBFloat16);
  const Gradients expected = reference({problem.hidden.to(at::kFloat), problem.weight.to(at::kFloat), problem.targets,
                                        problem.weights});
  ASSERT_LT(expected.loss, 0.1 * kRows) << "the model is not sure";
  for (const int ranks : {1, 2}) expect_equal(problem, expected, ranks, 0.02);
}

}  // namespace
}  // namespace entune
