#pragma once

#include <c10/core/Event.h>

#include <memory>
#include <vector>

#include "distributed/communicator.h"

namespace entune {

/// How long this rank has been inside collectives: its own part and its waiting for the others.
struct CollectiveTime {
  /// A collective that is queued on a GPU: events of the current stream before it, and after it where later work waits
  /// for it.
  struct Queued {
    c10::Event begin, end;
  };
  double seconds = 0.0;  ///< wall time of the calls on CPU tensors
  std::vector<Queued> queued;
};

/// `inner` with the time of every call added to `time`, also of the groups split from it: on CPU tensors wall time, on
/// a GPU's the time for which its default stream stands still (calls on other streams run beside it). `time` must
/// outlive the result and its groups.
std::unique_ptr<Communicator> make_timed_communicator(std::unique_ptr<Communicator> inner, CollectiveTime& time);
/// The same for a group that outlives the result.
std::unique_ptr<Communicator> make_timed_communicator(Communicator& inner, CollectiveTime& time);

}  // namespace entune
