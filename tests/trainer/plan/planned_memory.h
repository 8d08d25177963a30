#pragma once

#include <c10/core/ScalarType.h>

#include <vector>

#include "tests/trainer/loop/layouts.h"

namespace entune::test {

struct MemoryCase {
  LayoutCase layout;
  at::ScalarType dtype = at::kFloat;
};

/// Trains a small model for two steps and expects that its tensors held at most what the dry run says, to 5 %.
/// Collective over `world`, whose transport is MPI or none: the others' working memory is not planned.
void expect_planned_memory(Communicator& world, const MemoryCase& c);

/// LoRA and full, shared and plain prefixes, none, selective and full checkpointing.
std::vector<LayoutCase> ways_of_training(int data, int tensor);

}  // namespace entune::test
