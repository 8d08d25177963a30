#pragma once

#include <functional>

#include "distributed/communicator.h"

namespace entune::test {

/// Runs `body` on `num_ranks` ranks that are threads of this process, and returns when all have ended. Each rank has
/// its own communicator, runs its own backward passes, and must own the tensors it changes. Communicators die with
/// their rank's body.
///
/// Nothing deadlocks: when a rank throws, leaves early (as after a failed ASSERT) or calls another collective than its
/// peers, the others' calls throw. The first error is rethrown here, with its type. One intra-operation thread a rank.
void spawn_ranks(int num_ranks, const std::function<void(Communicator&)>& body);

}  // namespace entune::test
