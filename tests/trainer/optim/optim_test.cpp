#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/support/thread_communicator.h"
#include "trainer/optim/adamw.h"
#include "trainer/optim/gradient_norm.h"
#include "trainer/optim/schedule.h"

namespace entune::test {
namespace {

// ---- AdamW against ten steps of torch.optim.AdamW (make_adamw_fixture.py)

class AdamWFixture : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    std::ifstream file(ENTUNE_SOURCE_DIR "/tests/trainer/optim/adamw_fixture.json");
    ASSERT_TRUE(file) << "adamw_fixture.json is missing";
    fixture_ = nlohmann::json::parse(file);
    options_.beta1 = fixture_["options"]["beta1"];
    options_.beta2 = fixture_["options"]["beta2"];
    options_.eps = fixture_["options"]["eps"];
    options_.weight_decay = fixture_["options"]["weight_decay"];
  }

  /// The tensors of one list of the fixture.
  std::vector<at::Tensor> tensors(const nlohmann::json& lists) const {
    std::vector<at::Tensor> result;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      const at::Tensor values = at::tensor(lists[i].get<std::vector<double>>(), at::kFloat);
      result.push_back(values.view(fixture_["shapes"][i].get<std::vector<std::int64_t>>()));
    }
    return result;
  }

  nlohmann::json fixture_;
  AdamWOptions options_;
};
INSTANTIATE_TEST_SUITE_P(Dtypes, AdamWFixture, testing::Values(at::kFloat, at::kBFloat16));

TEST_P(AdamWFixture, EqualsPyTorchForTenSteps) {
  const at::ScalarType dtype = GetParam();
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& start : tensors(fixture_["start"])) {
    parameters.push_back(start.to(dtype).requires_grad_(true));
  }
  AdamW optimizer(parameters, options_);
  const nlohmann::json& expected_steps = fixture_[dtype == at::kFloat ? "float32" : "bfloat16"];
  for (std::size_t step = 0; step < expected_steps.size(); ++step) {
    const std::vector<at::Tensor> gradients = tensors(fixture_["gradients"][step]);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].mutable_grad() = gradients[i].to(dtype);
    }
    optimizer.step(fixture_["rates"][step]);
    EXPECT_EQ(optimizer.num_steps(), static_cast<std::int64_t>(step) + 1);
    const std::vector<at::Tensor> expected = tensors(expected_steps[step]);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_EQ(parameters[i].scalar_type(), dtype);
      // The fused update rounds in another order: a few units in the last place of float32. A bfloat16 that lies
      // between two values may go the other way.
      const double tolerance = dtype == at::kFloat ? 2e-6 : 1.0 / 128;
      EXPECT_TRUE(at::allclose(parameters[i].to(at::kFloat), expected[i], tolerance, 1e-7))
          << "step " << step << " parameter " << i << "\nfound " << parameters[i] << "\nexpected " << expected[i];
    }
  }
}

TEST(AdamW, MastersKeepWhatBfloat16CannotHold) {
  // 1 - 0.001 rounds back to 1 in bfloat16 (steps of 1/256 below 1); after ten steps the masters have moved by 0.01.
  const at::Tensor parameter = at::ones({1}, at::kBFloat16).requires_grad_(true);
  AdamW optimizer({parameter}, {});
  for (int step = 0; step < 10; ++step) {
    parameter.mutable_grad() = at::ones({1}, at::kBFloat16);
    optimizer.step(1e-3);
    if (step == 0) {
      EXPECT_EQ(parameter.item<float>(), 1.0f);
    }
  }
  EXPECT_NEAR(parameter.item<float>(), 0.99, 1.0 / 512);
  EXPECT_LT(parameter.item<float>(), 1.0f);
}

TEST(AdamW, WeightDecayIsDecoupled) {
  // No gradient: the parameter shrinks by lr * weight_decay, and the moments stay zero.
  const at::Tensor parameter = at::full({2}, 4.0f).requires_grad_(true);
  AdamWOptions options;
  options.weight_decay = 0.5;
  AdamW optimizer({parameter}, options);
  parameter.mutable_grad() = at::zeros({2});
  optimizer.step(0.1);
  EXPECT_TRUE(at::allclose(parameter, at::full({2}, 4.0f * 0.95f), 1e-6));
}

TEST(AdamW, GradientsAreRequiredAndForgotten) {
  const at::Tensor parameter = at::ones({2}).requires_grad_(true);
  AdamW optimizer({parameter}, {});
  EXPECT_THROW(optimizer.step(0.1), c10::Error);
  EXPECT_EQ(optimizer.num_steps(), 0);
  parameter.mutable_grad() = at::ones({2});
  optimizer.zero_grad();
  EXPECT_FALSE(parameter.grad().defined());
  EXPECT_THROW(AdamW({at::ones({2})}, {}), c10::Error) << "not trained";
}

// ---- The global gradient norm and clipping

TEST(GradientNorm, ByHandOnOneRank) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  const std::vector<at::Tensor> sharded = {at::tensor({3.0f, 4.0f})},
                                replicated = {at::tensor({12.0f}), at::zeros({0})};
  EXPECT_DOUBLE_EQ(global_gradient_norm(sharded, replicated, *self), 13.0);
  EXPECT_DOUBLE_EQ(global_gradient_norm({}, {}, *self), 0.0);
}

TEST(GradientNorm, ShardsAddUpAndReplicasCountOnce) {
  const at::Tensor whole = at::sin(at::arange(24.0f)).view({4, 6}), shared = at::cos(at::arange(5.0f));
  const double expected =
      std::sqrt((whole.to(at::kDouble).square().sum() + shared.to(at::kDouble).square().sum()).item<double>());
  for (const int ranks : {1, 2, 4}) {
    spawn_ranks(ranks, [&](Communicator& group) {
      const std::int64_t rows = 4 / group.size();
      // A transposed part: not contiguous.
      const at::Tensor part = whole.narrow(0, group.rank() * rows, rows).clone().t();
      EXPECT_NEAR(global_gradient_norm({part}, {shared}, group), expected, 1e-12);
    });
  }
}

TEST(GradientNorm, SumsSquaresInFloat64) {
  // In float32 the small squares would vanish beside the large one.
  const std::unique_ptr<Communicator> self = make_self_communicator();
  const std::vector<at::Tensor> gradients = {at::full({1}, 1e4f), at::full({3 << 20}, 1e-2f)};
  const double expected = std::sqrt(1e8 + (3 << 20) * std::pow(static_cast<double>(1e-2f), 2));
  EXPECT_NEAR(global_gradient_norm(gradients, {}, *self), expected, 1e-9);
}

TEST(GradientNorm, ClipsToTheLimitAsPyTorchDoes) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  const at::Tensor a = at::tensor({3.0f, 4.0f}), b = at::tensor({12.0f}).to(at::kBFloat16);
  EXPECT_DOUBLE_EQ(clip_gradient_norm({a}, {b}, 2.0, *self), 13.0);
  const double scale = 2.0 / (13.0 + 1e-6);
  EXPECT_TRUE(at::allclose(a, at::tensor({3.0f, 4.0f}) * scale));
  EXPECT_TRUE(at::allclose(b.to(at::kFloat), at::tensor({12.0f}) * scale, 1.0 / 128));
}

TEST(GradientNorm, LeavesSmallZeroLimitAndBrokenGradientsAlone) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  const at::Tensor gradient = at::tensor({3.0f, 4.0f});
  EXPECT_DOUBLE_EQ(clip_gradient_norm({gradient}, {}, 5.1, *self), 5.0);
  EXPECT_DOUBLE_EQ(clip_gradient_norm({gradient}, {}, 0.0, *self), 5.0);
  EXPECT_TRUE(at::equal(gradient, at::tensor({3.0f, 4.0f})));
  const at::Tensor broken = at::tensor({1.0f, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_TRUE(std::isnan(clip_gradient_norm({broken}, {gradient}, 1.0, *self)));
  EXPECT_TRUE(at::equal(gradient, at::tensor({3.0f, 4.0f})));
}

TEST(GradientNorm, BrokenGradientOnOneRankIsSeenByAll) {
  spawn_ranks(2, [](Communicator& group) {
    const at::Tensor part = at::full({1}, group.rank() == 1 ? std::numeric_limits<float>::infinity() : 1.0f);
    EXPECT_FALSE(std::isfinite(clip_gradient_norm({part}, {}, 1.0, group)));
  });
}

// ---- Schedules, by hand

using Decay = ScheduleOptions::Decay;

TEST(Schedule, WarmUpThenConstant) {
  const ScheduleOptions options{4, Decay::constant, 0.1};
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 0, 100), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 2, 100), 0.75);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 3, 100), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 99, 100), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_factor({0, Decay::constant, 0.1}, 0, 100), 1.0);
}

TEST(Schedule, LinearIsTheBaselineScripts) {
  // min(1, (step + 1) / 5) * (1 - 0.9 * step / steps)
  const ScheduleOptions options{5, Decay::linear, 0.1};
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 0, 50), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 2, 50), 0.6 * 0.964);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 25, 50), 0.55);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 49, 50), 0.118);
}

TEST(Schedule, CosineByHand) {
  const ScheduleOptions options{0, Decay::cosine, 0.2};
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 0, 60), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 20, 60), 0.2 + 0.8 * 0.75);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 30, 60), 0.6);
  EXPECT_DOUBLE_EQ(learning_rate_factor(options, 40, 60), 0.2 + 0.8 * 0.25);
}

TEST(Schedule, StaysPastTheEnd) {
  for (const Decay decay : {Decay::linear, Decay::cosine}) {
    EXPECT_DOUBLE_EQ(learning_rate_factor({5, decay, 0.1}, 50, 50), 0.1);
    EXPECT_DOUBLE_EQ(learning_rate_factor({5, decay, 0.1}, 5000, 50), 0.1);
  }
}

TEST(Schedule, RefusesStepsThatCannotBe) {
  EXPECT_THROW(learning_rate_factor({}, -1, 10), c10::Error);
  EXPECT_THROW(learning_rate_factor({}, 0, 0), c10::Error);
}

}  // namespace
}  // namespace entune::test
