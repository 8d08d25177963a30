#pragma once

#include <memory>

#include "distributed/communicator.h"

namespace entune {

/// How long this rank has been inside collectives: its own part and its waiting for the others.
struct CollectiveTime {
  double seconds = 0.0;
};

/// `inner` with every call's wall time added to `time`, also those of the groups split from it. Both must outlive the
/// result and its groups. Of a transport that only queues its work, this is the time of queueing.
std::unique_ptr<Communicator> make_timed_communicator(Communicator& inner, CollectiveTime& time);

}  // namespace entune
