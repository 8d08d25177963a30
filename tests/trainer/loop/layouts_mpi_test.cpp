#include <gtest/gtest.h>

#include "tests/support/mpi_test.h"
#include "tests/trainer/loop/layouts.h"

namespace entune::test {
namespace {

// The same comparison as layouts_test, over real MPI ranks.
TEST(LayoutsOverMpi, GiveTheLossesAndGradientsOfOneRank) {
  const auto self = make_self_communicator();
  const int size = world().size();
  for (const bool full : {false, true}) {
    const TrainingTrace expected = train_tiny_model(*self, {1, 1, full, true});
    for (const int tensor : {1, 2, 4}) {
      if (size % tensor != 0) continue;
      for (const bool sequence : {false, true}) {
        if (sequence && tensor == 1) continue;
        const TrainingTrace actual =
            train_tiny_model(world(), {size / tensor, tensor, full, true, ActivationCheckpointing::none, sequence});
        EXPECT_EQ(difference(expected, actual), "")
            << size / tensor << " x " << tensor << (sequence ? ", rows cut" : "");
      }
    }
  }
}

}  // namespace
}  // namespace entune::test
