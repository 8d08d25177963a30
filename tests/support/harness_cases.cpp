// Tests that must fail under tests/support/mpi_main.cpp, each in a way that a weaker harness overlooks.
// tests/support/CMakeLists.txt runs them one by one and expects the failure.

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/support/mpi_test.h"

namespace entune::test {
namespace {

TEST(HarnessCases, Passes) { EXPECT_TRUE(true_on_all_ranks(true)); }

TEST(HarnessCases, FailsOnRankOne) { EXPECT_NE(world().rank(), 1) << "deliberate"; }

TEST(HarnessCases, FailsFatallyOnRankOne) { ASSERT_NE(world().rank(), 1) << "deliberate"; }

TEST(HarnessCases, ThrowsOnRankOne) {
  if (world().rank() == 1) {
    throw std::runtime_error("deliberate");
  }
}

TEST(HarnessCases, FailsOnEveryRank) {
  ASSERT_ALL_RANKS(world().rank() != 1);
  world().barrier();
}

TEST(HarnessCases, SkipsOnRankOne) {
  if (world().rank() == 1) {
    GTEST_SKIP();
  }
}

TEST(HarnessCases, HangsOnRankOne) {
  while (world().rank() == 1) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace
}  // namespace entune::test
