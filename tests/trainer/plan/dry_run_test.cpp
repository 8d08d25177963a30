#include "trainer/plan/dry_run.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/trainer/model/small_models.h"
#include "tests/trainer/plan/planned_memory.h"

namespace entune::test {
namespace {

TEST(DryRun, TakesTheMemoryOfTheRealStep) {
  const auto self = make_self_communicator();
  for (const LayoutCase& layout : ways_of_training(1, 1))
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) expect_planned_memory(*self, {layout, dtype});
}

}  // namespace
}  // namespace entune::test
