#include "tests/trainer/loop/layouts.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/thread_communicator.h"

namespace entune::test {
namespace {

class Layouts : public testing::TestWithParam<LayoutCase> {};

TEST_P(Layouts, GiveTheLossesAndGradientsOfOneRank) {
  const LayoutCase alone{.full = GetParam().full, .prefix_sharing = GetParam().prefix_sharing};
  const auto self = make_self_communicator();
  const TrainingTrace expected = train_tiny_model(*self, alone);
  ASSERT_EQ(expected.losses.size(), 4u);
  spawn_ranks(GetParam().data * GetParam().tensor, [&](Communicator& world) {
    const TrainingTrace actual = train_tiny_model(world, GetParam());
    EXPECT_EQ(difference(expected, actual), "");
    EXPECT_EQ(actual.split_prefix, GetParam().data > 1 && GetParam().prefix_sharing);
    // A rank holds its part of what is sharded (the vocabulary's padding aside) and all of what is replicated.
    const std::int64_t sharded = expected.parameter_bytes - actual.replicated_bytes;
    const std::int64_t padding = GetParam().tensor * 32 * 4;
    EXPECT_LE(actual.parameter_bytes, sharded / GetParam().tensor + actual.replicated_bytes + padding);
  });
}

constexpr auto kNone = ActivationCheckpointing::none, kSelective = ActivationCheckpointing::selective,
               kAll = ActivationCheckpointing::full;

std::string name_of(const testing::TestParamInfo<LayoutCase>& info) {
  const LayoutCase& c = info.param;
  return std::to_string(c.data) + "x" + std::to_string(c.tensor) + (c.full ? "Full" : "Lora") +
         (c.prefix_sharing ? "Shared" : "Plain") + (c.sequence ? "Cut" : "") +
         (c.checkpointing == kAll         ? "Checkpointed"
          : c.checkpointing == kSelective ? "Selective"
                                          : "");
}

INSTANTIATE_TEST_SUITE_P(DataTimesTensor, Layouts,
                         testing::Values(LayoutCase{2, 1}, LayoutCase{1, 2}, LayoutCase{2, 2}, LayoutCase{4, 2},
                                         LayoutCase{1, 4}, LayoutCase{2, 1, true}, LayoutCase{1, 2, true},
                                         LayoutCase{2, 2, true}, LayoutCase{2, 2, false, false},
                                         LayoutCase{2, 1, false, true, kAll}, LayoutCase{2, 2, true, true, kAll},
                                         LayoutCase{2, 1, true, true, kSelective}),
                         name_of);

INSTANTIATE_TEST_SUITE_P(
    CutRows, Layouts,
    testing::Values(LayoutCase{1, 2, false, true, kNone, true}, LayoutCase{1, 4, false, true, kNone, true},
                    LayoutCase{4, 2, false, true, kNone, true}, LayoutCase{1, 4, true, true, kNone, true},
                    LayoutCase{2, 2, true, true, kNone, true}, LayoutCase{2, 2, false, false, kNone, true},
                    LayoutCase{1, 2, true, false, kNone, true}, LayoutCase{2, 2, false, true, kSelective, true},
                    LayoutCase{2, 2, true, true, kSelective, true}, LayoutCase{2, 2, false, true, kAll, true},
                    LayoutCase{2, 2, true, true, kAll, true}),
    name_of);

TEST(Training, SharedPrefixGivesThePlainLossesAndGradients) {
  const auto self = make_self_communicator();
  for (const bool full : {false, true}) {
    const TrainingTrace plain = train_tiny_model(*self, {1, 1, full, false});
    const TrainingTrace shared = train_tiny_model(*self, {1, 1, full, true});
    EXPECT_EQ(difference(plain, shared), "") << (full ? "full" : "LoRA");
  }
}

TEST(Training, TheFirstStepIsAdamWOnTheMeanGradient) {
  const auto self = make_self_communicator();
  for (const bool full : {false, true}) {
    const TrainingTrace trace = train_tiny_model(*self, {1, 1, full, true});
    double squares = 0.0;
    for (const auto& [name, gradient] : trace.gradients) squares += gradient.square().sum().item<double>();
    EXPECT_NEAR(trace.gradient_norms[0], std::sqrt(squares), 1e-5 * std::sqrt(squares));
    const double clip = std::min(1.0, 1.0 / std::sqrt(squares));
    for (const auto& [name, update] : trace.first_updates) {
      // With empty moments both bias corrections cancel: the update is -lr * g / (|g| + eps), g clipped.
      const at::Tensor gradient = trace.gradients.at(name) * clip;
      const at::Tensor expected = gradient / (gradient.abs() + 1e-8) * -1e-3;
      EXPECT_LT((update - expected).abs().max().item<double>(), 2e-6) << name;
    }
  }
}

TEST(Training, LowersTheLoss) {
  const auto self = make_self_communicator();
  const TrainingTrace trace = train_tiny_model(*self, {1, 1, true, true});
  EXPECT_LT(trace.losses[2], trace.losses[0]);  // the second epoch's first step sees like samples
}

}  // namespace
}  // namespace entune::test
