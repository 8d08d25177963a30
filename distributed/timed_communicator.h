#pragma once

#include <c10/core/Event.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "distributed/communicator.h"

namespace entune {

enum class Collective { all_reduce, all_gather, reduce_scatter, broadcast, barrier };
constexpr std::size_t kNumCollectives = 5;

/// The calls of one operation on one axis of the mesh, by this rank.
struct CollectiveCount {
  std::int64_t calls = 0;
  std::int64_t bytes = 0;  ///< of the larger tensor of each call: what is gathered, what is scattered
  double seconds = 0.0;    ///< inside the calls, those beside computation included
};
/// Indexed by Collective.
using CollectiveCounts = std::array<CollectiveCount, kNumCollectives>;

/// How long this rank has been inside collectives: its own part and its waiting for the others.
struct CollectiveTime {
  /// A collective that is queued on a GPU: events of the current stream before it, and after it where later work waits
  /// for it.
  struct Queued {
    c10::Event begin, end;
    CollectiveCount* count;  ///< that its time is still to be added to
  };
  double seconds = 0.0;               ///< wall time of the calls on CPU tensors
  std::vector<Queued> queued;         ///< on the default stream
  std::vector<Queued> beside;         ///< on other streams
  bool times_gpu = true;              ///< false: calls on GPUs are counted, but not timed: each takes two events
  CollectiveCounts data{}, tensor{};  ///< of the mesh's axes
};

/// `inner` with every call counted in `counts`, a member of `time`, and its time added to `time`, also of the groups
/// split from it: on CPU tensors wall time, on a GPU's the time for which its default stream stands still (calls on
/// other streams run beside it). `time` must outlive the result and its groups.
std::unique_ptr<Communicator> make_timed_communicator(std::unique_ptr<Communicator> inner, CollectiveTime& time,
                                                      CollectiveCounts& counts);
/// The same for a group that outlives the result.
std::unique_ptr<Communicator> make_timed_communicator(Communicator& inner, CollectiveTime& time,
                                                      CollectiveCounts& counts);

}  // namespace entune
