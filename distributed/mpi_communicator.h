#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "distributed/communicator.h"

namespace entune {

/// A communicator over all ranks of the initialized MPI, on a duplicate of MPI's own. Its tensors lie on the CPU. MPI
/// counts in `int`: larger tensors travel in pieces of at most `piece_elements` (what a test makes small).
///
/// Its destructor is quiet after MPI_Finalize, and while an exception unwinds (the peers may never come to the
/// release).
std::unique_ptr<Communicator> make_mpi_world_communicator(
    std::int64_t piece_elements = std::numeric_limits<std::int32_t>::max());

}  // namespace entune
