#pragma once

#include "distributed/communicator.h"

namespace entune::test {

// What every transport must do, written once and run over each of them. Expected values are closed forms in rank and
// size that differ per rank and per element. All are collective; failures are EXPECT_*.

void check_all_reduce(Communicator& group);
void check_all_reduce_rounds_once(Communicator& group);
void check_all_gather(Communicator& group);
void check_reduce_scatter(Communicator& group);
void check_broadcast(Communicator& group);
void check_split(Communicator& group);
void check_byte_collectives(Communicator& group);
void check_empty_tensors(Communicator& group);
/// Breaches that every rank makes alike; the group stays usable.
void check_preconditions(Communicator& group);

}  // namespace entune::test
