#include "trainer/study/choose_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/cuda_devices.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"

namespace entune::test {
namespace {

using testing::HasSubstr;

Recipe recipe_with(const std::string& transport) {
  Recipe recipe;
  recipe.parallel.transport = transport;
  return recipe;
}

TEST(ChooseDevice, MpiMeansCpus) {
  const auto self = make_self_communicator();
  EXPECT_TRUE(choose_device(recipe_with("mpi"), *self).is_cpu());
}

TEST(ChooseDevice, WithoutGpusAutoMeansCpusAndNcclIsRefusedOnEveryRank) {
  if (!visible_gpus().empty()) GTEST_SKIP() << "this machine has GPUs";
  spawn_ranks(2, [](Communicator& world) {
    EXPECT_TRUE(choose_device(recipe_with("auto"), world).is_cpu());
    const std::string error = input_error_of([&] { choose_device(recipe_with("nccl"), world); });
    EXPECT_THAT(error, HasSubstr("parallel.transport: nccl: "));
    EXPECT_THAT(error, HasSubstr("set parallel.transport: mpi"));
    EXPECT_THAT(error, HasSubstr(built_with_cuda() ? "expected a GPU for each of 2 ranks on "
                                                   : "this build has no CUDA in it; build with ENTUNE_CUDA=on"));
  });
}

}  // namespace
}  // namespace entune::test
