#pragma once

#include <memory>

#include "distributed/communicator.h"

namespace entune {

/// A rank of a group of which nobody else is there, for meta tensors: its collectives move nothing, but take the
/// working memory that the real ones take. `widens`: those of MPI, which reduce bfloat16 in float32 copies, piece by
/// piece (mpi_communicator.cpp).
std::unique_ptr<Communicator> make_planned_communicator(int rank, int size, bool widens);

}  // namespace entune
