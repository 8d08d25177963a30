#include "distributed/gpu_placement.h"

#include <gtest/gtest.h>

#include "distributed/cuda_devices.h"
#include "distributed/device_mesh.h"
#include "distributed/nccl_communicator.h"
#include "tests/support/thread_communicator.h"

namespace entune::test {
namespace {

using Assigned = std::vector<std::optional<int>>;

TEST(AssignGpus, RanksThatSeeAllTakeThemInTurn) {
  EXPECT_EQ(assign_gpus({{"a", "b", "c"}, {"a", "b", "c"}}), (Assigned{0, 1}));
}

TEST(AssignGpus, RanksThatSeeTheirOwnAloneTakeIt) {
  EXPECT_EQ(assign_gpus({{"a"}, {"b"}, {"c"}}), (Assigned{0, 0, 0}));
  EXPECT_EQ(assign_gpus({{"a", "b"}, {"b", "a"}}), (Assigned{0, 0}));
}

TEST(AssignGpus, TooFewLeaveTheLastRanksWithout) {
  EXPECT_EQ(assign_gpus({{"a", "b"}, {"a", "b"}, {"a", "b"}}), (Assigned{0, 1, std::nullopt}));
  EXPECT_EQ(assign_gpus({{}, {}}), (Assigned{std::nullopt, std::nullopt}));
}

TEST(PlaceOnGpus, EveryRankOfAWorldLearnsTheSame) {
  if (!visible_gpus().empty()) GTEST_SKIP() << "this machine has GPUs";
  spawn_ranks(3, [](Communicator& world) {
    const GpuPlacement placement = place_on_gpus(world);
    EXPECT_FALSE(placement.device.has_value());
    EXPECT_FALSE(placement.every_rank);
    EXPECT_FALSE(placement.any_rank);
    EXPECT_TRUE(placement.shortage.starts_with("expected a GPU for each of 3 ranks on ")) << placement.shortage;
    EXPECT_TRUE(placement.shortage.ends_with(", found 0")) << placement.shortage;
  });
}

TEST(DeviceMesh, WithoutCudaInTheBuildAGpuIsRefusedByName) {
  if (built_with_cuda()) GTEST_SKIP() << "this build has CUDA in it";
  const std::unique_ptr<Communicator> self = make_self_communicator();
  try {
    DeviceMesh(*self, 1, 1, at::Device(at::kCUDA, 0));
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "this build has no CUDA in it; configure it with ENTUNE_CUDA=on");
  }
  EXPECT_THROW(make_nccl_communicator(make_self_communicator(), at::Device(at::kCUDA, 0)), std::runtime_error);
}

}  // namespace
}  // namespace entune::test
