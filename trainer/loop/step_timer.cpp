#include "trainer/loop/step_timer.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace entune {
namespace {

/// The seconds of a call that is done, added to its count.
double settle(const CollectiveTime::Queued& call) {
  const double seconds = call.begin.elapsedTime(call.end) / 1000.0;
  call.count->seconds += seconds;
  return seconds;
}

}  // namespace

void StepTimer::enter(StepPhase phase) {
  if (!device_.is_cpu()) return mark(phase);
  end_on_cpu();
  running_ = true;
  phase_ = phase;
  collectives_at_begin_ = collective_seconds();
  begin_ = Clock::now();
}

void StepTimer::leave() {
  if (device_.is_cpu()) return end_on_cpu();
  if (marks_.empty()) return;
  mark(StepPhase::optimizer);  // the end alone counts
  marks_.back().event.synchronize();
  for (std::size_t i = 0; i + 1 < marks_.size(); ++i) {
    double communication = 0.0;
    for (std::size_t j = marks_[i].num_collectives; j < marks_[i + 1].num_collectives; ++j)
      communication += settle(collectives_->queued[j]);
    add(marks_[i].phase, marks_[i].event.elapsedTime(marks_[i + 1].event) / 1000.0 - communication);
    add(StepPhase::communication, communication);
  }
  marks_.clear();
  if (collectives_ == nullptr) return;
  collectives_->queued.clear();
  // What runs beside the next step's forward pass is settled after that step.
  std::erase_if(collectives_->beside, [](const CollectiveTime::Queued& call) {
    if (!call.end.query()) return false;
    settle(call);
    return true;
  });
}

void StepTimer::mark(StepPhase phase) {
  marks_.push_back({phase, c10::Event(device_.type(), c10::EventFlag::BACKEND_DEFAULT), num_queued()});
  marks_.back().event.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
}

void StepTimer::end_on_cpu() {
  if (!running_) return;
  running_ = false;
  const double wall = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double communication = collective_seconds() - collectives_at_begin_;
  add(phase_, wall - communication);
  add(StepPhase::communication, communication);
}

}  // namespace entune
