#pragma once

#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include "distributed/timed_communicator.h"

namespace entune {

/// Where a step's time goes. optimizer: all that follows the last backward pass (clipping, the update).
/// communication: exposed, that is inside collectives, whichever phase they stand in, and waiting for those that ran
/// beside it; it is taken out of that phase, so that the phases add up to the step.
enum class StepPhase { data, forward, backward, optimizer, communication };
constexpr std::size_t kNumStepPhases = 5;
constexpr std::pair<const char*, StepPhase> kStepPhases[kNumStepPhases] = {{"data", StepPhase::data},
                                                                           {"forward", StepPhase::forward},
                                                                           {"backward", StepPhase::backward},
                                                                           {"communication", StepPhase::communication},
                                                                           {"optimizer", StepPhase::optimizer}};

/// Time of each phase, added up over steps until reset(). Trainer calls it where it is given one.
///
/// On CPUs: wall time, two readings of the clock a phase. On a GPU, which works behind the host's back: the time
/// between events on the current stream, waited for in leave(), once a step; communication is what this stream waits
/// for, so what runs beside computation does not count.
class StepTimer {
 public:
  /// `collectives` (may be null: no communication is told apart) must outlive the timer.
  explicit StepTimer(CollectiveTime* collectives = nullptr, c10::Device device = c10::kCPU)
      : collectives_(collectives), device_(device) {}

  /// Ends the phase that runs, if one does, and begins `phase`.
  void enter(StepPhase phase);
  /// Ends the phase that runs. The next step begins with enter().
  void leave();
  double seconds(StepPhase phase) const { return seconds_[static_cast<std::size_t>(phase)]; }
  void reset() { seconds_ = {}; }

 private:
  using Clock = std::chrono::steady_clock;
  /// A phase, the event at its beginning, and how many collectives were queued before it.
  struct Mark {
    StepPhase phase;
    c10::Event event;
    std::size_t num_collectives;
  };

  void end_on_cpu();
  void mark(StepPhase phase);
  std::size_t num_queued() const { return collectives_ == nullptr ? 0 : collectives_->queued.size(); }
  double collective_seconds() const { return collectives_ == nullptr ? 0.0 : collectives_->seconds; }
  void add(StepPhase phase, double seconds) { seconds_[static_cast<std::size_t>(phase)] += seconds; }

  CollectiveTime* collectives_;
  c10::Device device_;
  std::array<double, kNumStepPhases> seconds_{};
  bool running_ = false;
  StepPhase phase_ = StepPhase::data;
  Clock::time_point begin_;
  double collectives_at_begin_ = 0.0;
  std::vector<Mark> marks_;  // of this step, on a GPU
};

}  // namespace entune
