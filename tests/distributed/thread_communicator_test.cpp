#include "tests/support/thread_communicator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>

#include "tests/distributed/communicator_contract.h"

namespace entune::test {
namespace {

class ThreadCommunicatorTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, ThreadCommunicatorTest, testing::Values(1, 2, 3, 4));

TEST_P(ThreadCommunicatorTest, KeepsTheContract) {
  for (const auto check :
       {check_all_reduce, check_all_reduce_rounds_once, check_all_gather, check_reduce_scatter, check_broadcast,
        check_split, check_byte_collectives, check_empty_tensors, check_preconditions}) {
    spawn_ranks(GetParam(), [check](Communicator& group) { check(group, at::kCPU); });
  }
}

TEST(SelfCommunicator, KeepsTheContractOfOneRank) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  check_all_reduce(*self);
  check_all_gather(*self);
  check_reduce_scatter(*self);
  check_broadcast(*self);
  check_split(*self);
  check_byte_collectives(*self);
  check_empty_tensors(*self);
  check_preconditions(*self);
}

/// What spawn_ranks throws, as text.
std::string failure_of(int num_ranks, const std::function<void(Communicator&)>& body) {
  try {
    spawn_ranks(num_ranks, body);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(SpawnRanks, RethrowsTheFirstErrorWithItsType) {
  std::atomic<int> num_ended = 0;
  const auto body = [&](Communicator& group) {
    if (group.rank() == 1) {
      throw std::domain_error("broken");
    }
    try {
      group.barrier();
    } catch (...) {
      ++num_ended;
      throw;
    }
  };
  EXPECT_THROW(spawn_ranks(3, body), std::domain_error);
  EXPECT_EQ(num_ended, 2);
  EXPECT_EQ(failure_of(3, body), "broken");
}

TEST(SpawnRanks, ErrorReachesRanksInOtherGroups) {
  const auto body = [](Communicator& group) {
    const std::unique_ptr<Communicator> part = group.split(group.rank() / 2, 0);
    if (group.rank() == 0) {
      throw std::domain_error("broken");
    }
    for (;;) {
      part->barrier();
    }
  };
  // Often: which rank speaks first is a matter of luck.
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(failure_of(4, body), "broken");
  }
}

TEST(SpawnRanks, RankThatLeavesEarlyIsAnError) {
  const auto body = [](Communicator& group) {
    if (group.rank() == 0) {
      return;
    }
    group.barrier();
  };
  EXPECT_NE(failure_of(2, body).find("has left"), std::string::npos);
}

TEST(SpawnRanks, DifferentCallsAreAnError) {
  const auto different_collectives = [](Communicator& group) {
    at::Tensor tensor = at::zeros({2});
    group.rank() == 0 ? group.barrier() : group.all_reduce(tensor, ReduceOp::sum);
  };
  EXPECT_NE(failure_of(2, different_collectives).find("ranks disagree"), std::string::npos);
  const auto different_shapes = [](Communicator& group) {
    at::Tensor tensor = at::zeros({2 + group.rank()});
    group.all_reduce(tensor, ReduceOp::sum);
  };
  EXPECT_NE(failure_of(2, different_shapes).find("ranks disagree"), std::string::npos);
}

}  // namespace
}  // namespace entune::test
