#pragma once

#include <c10/core/Device.h>

#include "distributed/communicator.h"
#include "trainer/recipe/recipe.h"

namespace entune {

/// Where this rank works by parallel.transport: mpi, on the CPU; nccl, on a GPU of its own; auto, on GPUs where every
/// rank of the world has one, on CPUs where none has. Collective over the world, and of one mind: throws InputError on
/// every rank where GPUs are asked for and some rank has none, and where auto finds some ranks with and some without.
at::Device choose_device(const Recipe& recipe, Communicator& world);

}  // namespace entune
