#pragma once

#include "distributed/communicator.h"

namespace entune::test {

// What every transport must do, written once and run over each of them. Expected values are closed forms in rank and
// size that differ per rank and per element. All are collective, with tensors on `device`; failures are EXPECT_*.

void check_all_reduce(Communicator& group, at::Device device = at::kCPU);
void check_all_reduce_rounds_once(Communicator& group, at::Device device = at::kCPU);
void check_all_gather(Communicator& group, at::Device device = at::kCPU);
void check_reduce_scatter(Communicator& group, at::Device device = at::kCPU);
void check_broadcast(Communicator& group, at::Device device = at::kCPU);
void check_split(Communicator& group, at::Device device = at::kCPU);
void check_byte_collectives(Communicator& group, at::Device device = at::kCPU);
void check_empty_tensors(Communicator& group, at::Device device = at::kCPU);
/// Breaches that every rank makes alike; the group stays usable.
void check_preconditions(Communicator& group, at::Device device = at::kCPU);

}  // namespace entune::test
