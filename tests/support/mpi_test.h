#pragma once

#include <gtest/gtest.h>

#include "distributed/communicator.h"

namespace entune::test {

/// All ranks of a program under tests/support/mpi_main.cpp, over MPI.
Communicator& world();

/// True on every rank if `condition` is true on every rank. Collective.
bool true_on_all_ranks(bool condition);

/// Fails and leaves the test on every rank if `condition` is false on any. A plain ASSERT_*, return or GTEST_SKIP on
/// one rank before a later collective would leave its peers waiting; EXPECT_* is always fine.
#define ASSERT_ALL_RANKS(condition)                                                                    \
  ASSERT_TRUE(::entune::test::true_on_all_ranks((condition))) << "on some rank (not necessarily this " \
                                                                 "one): " #condition

}  // namespace entune::test
