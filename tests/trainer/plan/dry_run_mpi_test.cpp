#include <gtest/gtest.h>

#include "tests/support/mpi_test.h"
#include "tests/trainer/plan/planned_memory.h"

namespace entune::test {
namespace {

TEST(DryRunOverMpi, TakesTheMemoryOfEveryRank) {
  const int size = world().size();
  for (const int tensor : {1, 2}) {
    for (LayoutCase layout : ways_of_training(size / tensor, tensor))
      for (const bool cut : {false, true}) {
        layout.zero = layout.sequence = cut;
        for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) expect_planned_memory(world(), {layout, dtype});
      }
  }
}

}  // namespace
}  // namespace entune::test
