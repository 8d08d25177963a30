#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <functional>
#include <memory>

#include "distributed/communicator.h"

namespace entune {

struct NcclOptions {
  /// A collective that is not over after this long is aborted, as is one of which NCCL reports that a peer is gone.
  std::chrono::milliseconds patience{std::chrono::minutes{10}};
  /// Called while a collective is not over that was queued longer ago than this, from a thread of the group, until it
  /// is. Empty: nobody is told.
  std::function<void()> overdue = {};
  std::chrono::milliseconds overdue_after{0};
  /// The same bits from run to run: rings with one protocol, and no reduction in the switch. NCCL reads this once a
  /// process, so the first group decides; an environment that names an algorithm wins.
  bool deterministic = false;
};

/// The ranks of `host`, each with the GPU `device` of its own, over NCCL. Collective over `host`, which stays in use:
/// it carries tensors that lie on the CPU (counts, losses, bytes), so that they cost the GPU nothing. A group of one
/// needs no NCCL.
///
/// Collectives are queued behind what is on the calling thread's current stream, and what is queued there afterwards
/// waits for them: a caller sees them as if they ran on that stream, and groups that are used from one stream never run
/// at the same time, whatever the order of their calls on other ranks. Groups used from two streams (ParameterBuckets)
/// do run side by side: there the GPU must have room for the blocks of both, which NCCL keeps few. Errors of the GPU,
/// of a peer or of the network appear in the group's next call, which throws.
///
/// bfloat16 is summed in float32 and rounded once, at the cost of a bfloat16 all-reduce: parts are exchanged, summed in
/// rank order, and gathered.
std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> host, at::Device device,
                                                     const NcclOptions& options = {});

}  // namespace entune
