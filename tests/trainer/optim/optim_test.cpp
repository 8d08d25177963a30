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
  std::vector<AdamW::Part> parts;
  for (const at::Tensor& start : tensors(fixture_["start"]))
    parts.push_back({start.to(dtype), at::zeros_like(start, dtype)});
  AdamW optimizer(parts, options_);
  const nlohmann::json& expected_steps = fixture_[dtype == at::kFloat ? "float32" : "bfloat16"];
  for (std::size_t step = 0; step < expected_steps.size(); ++step) {
    const std::vector<at::Tensor> gradients = tensors(fixture_["gradients"][step]);
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].gradient.copy_(gradients[i].mul(4.0));
    optimizer.step(fixture_["rates"][step], 0.25);
    EXPECT_EQ(optimizer.num_steps(), static_cast<std::int64_t>(step) + 1);
    const std::vector<at::Tensor> expected = tensors(expected_steps[step]);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      EXPECT_EQ(parts[i].value.scalar_type(), dtype);
      // The fused update rounds in another order: a few units in the last place of float32. A bfloat16 that lies
      // between two values may go the other way.
      const double tolerance = dtype == at::kFloat ? 2e-6 : 1.0 / 128;
      EXPECT_TRUE(at::allclose(parts[i].value.to(at::kFloat), expected[i], tolerance, 1e-7))
          << "step " << step << " parameter " << i << "\nfound " << parts[i].value << "\nexpected " << expected[i];
    }
  }
}

TEST(AdamW, MastersKeepWhatBfloat16CannotHold) {
  // 1 - 0.001 rounds back to 1 in bfloat16 (steps of 1/256 below 1); after ten steps the masters have moved by 0.01.
  const AdamW::Part part{at::ones({1}, at::kBFloat16), at::ones({1}, at::kBFloat16)};
  AdamW optimizer({part}, {});
  for (int step = 0; step < 10; ++step) {
    part.gradient.fill_(1.0);
    optimizer.step(1e-3, 1.0);
    if (step == 0) {
      EXPECT_EQ(part.value.item<float>(), 1.0f);
    }
  }
  EXPECT_NEAR(part.value.item<float>(), 0.99, 1.0 / 512);
  EXPECT_LT(part.value.item<float>(), 1.0f);
}

TEST(AdamW, WeightDecayIsDecoupled) {
  // No gradient: the value shrinks by lr * weight_decay, and the moments stay zero.
  const AdamW::Part part{at::full({2}, 4.0f), at::zeros({2})};
  AdamWOptions options;
  options.weight_decay = 0.5;
  AdamW optimizer({part}, options);
  optimizer.step(0.1, 1.0);
  EXPECT_TRUE(at::allclose(part.value, at::full({2}, 4.0f * 0.95f), 1e-6));
}

TEST(AdamW, HoldsMastersWhereTheValueIsNone) {
  EXPECT_EQ(AdamW({{at::ones({8}), at::ones({8})}}, {}).state_bytes(), 2 * 8 * 4);
  EXPECT_EQ(AdamW({{at::ones({8}, at::kBFloat16), at::ones({8}, at::kBFloat16)}}, {}).state_bytes(), 3 * 8 * 4);
}

TEST(AdamW, RefusesPartsThatAreNotFlatPairs) {
  EXPECT_THROW(AdamW({{at::ones({2}), at::ones({3})}}, {}), c10::Error);
  EXPECT_THROW(AdamW({{at::ones({2}), at::ones({2}, at::kBFloat16)}}, {}), c10::Error);
  EXPECT_THROW(AdamW({{at::ones({2, 3}).t(), at::ones({3, 2})}}, {}), c10::Error);
}

// ---- The global gradient norm and clipping

TEST(GradientNorm, ByHandOnOneRank) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  const HeldGradients gradients{{at::tensor({3.0f, 4.0f})}, {at::tensor({12.0f}), at::zeros({0})}};
  EXPECT_DOUBLE_EQ(global_gradient_norm(gradients, nullptr, *self), 13.0);
  EXPECT_DOUBLE_EQ(global_gradient_norm({}, nullptr, *self), 0.0);
}

TEST(GradientNorm, ShardsAddUpAndReplicasCountOnce) {
  const at::Tensor whole = at::sin(at::arange(24.0f)).view({4, 6}), shared = at::cos(at::arange(8.0f));
  const double expected =
      std::sqrt((whole.to(at::kDouble).square().sum() + shared.to(at::kDouble).square().sum()).item<double>());
  for (const int ranks : {1, 2, 4}) {
    spawn_ranks(ranks, [&](Communicator& group) {
      const std::int64_t rows = 4 / group.size();
      // A transposed part: not contiguous.
      const at::Tensor part = whole.narrow(0, group.rank() * rows, rows).clone().t();
      EXPECT_NEAR(global_gradient_norm({{part}, {shared}}, nullptr, group), expected, 1e-12);
    });
  }
  // Over a data axis of two, each rank of which holds a half of either.
  spawn_ranks(4, [&](Communicator& world) {
    const auto data = world.split(world.rank() % 2, world.rank()), tensor = world.split(world.rank() / 2, world.rank());
    const at::Tensor mine = whole.narrow(0, 2 * tensor->rank() + data->rank(), 1);
    const HeldGradients gradients{{mine}, {shared.narrow(0, 4 * data->rank(), 4)}};
    EXPECT_NEAR(global_gradient_norm(gradients, data.get(), *tensor), expected, 1e-12);
  });
}

TEST(GradientNorm, SumsSquaresInFloat64) {
  // In float32 the small squares would vanish beside the large one.
  const std::unique_ptr<Communicator> self = make_self_communicator();
  const HeldGradients gradients{{at::full({1}, 1e4f), at::full({3 << 20}, 1e-2f)}, {}};
  const double expected = std::sqrt(1e8 + (3 << 20) * std::pow(static_cast<double>(1e-2f), 2));
  EXPECT_NEAR(global_gradient_norm(gradients, nullptr, *self), expected, 1e-9);
}

TEST(GradientNorm, BrokenGradientOnOneRankIsSeenByAll) {
  spawn_ranks(2, [](Communicator& group) {
    const at::Tensor part = at::full({1}, group.rank() == 1 ? std::numeric_limits<float>::infinity() : 1.0f);
    EXPECT_FALSE(std::isfinite(global_gradient_norm({{part}, {}}, nullptr, group)));
  });
}

TEST(ClipFactor, IsPyTorchs) {
  EXPECT_DOUBLE_EQ(clip_factor(13.0, 2.0), 2.0 / (13.0 + 1e-6));
  EXPECT_DOUBLE_EQ(clip_factor(5.0, 5.1), 1.0);
  EXPECT_DOUBLE_EQ(clip_factor(5.0, 0.0), 1.0);
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
