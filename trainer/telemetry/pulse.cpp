#include "trainer/telemetry/pulse.h"

#include <atomic>

namespace entune {
namespace {

thread_local Pulse* current = nullptr;

template <typename Value>
void set(Value& shared, Value value) {
  std::atomic_ref<Value>(shared).store(value, std::memory_order_relaxed);
}

}  // namespace

void set_pulse(Pulse* pulse) { current = pulse; }

void enter_phase(Phase phase) {
  if (current == nullptr) return;
  set(current->phase, phase);
  beat();
}

void enter_step(std::int64_t step) {
  if (current == nullptr) return;
  set(current->step, step);
  beat();
}

void beat() {
  if (current != nullptr) set(current->beats, current->beats + 1);
}

}  // namespace entune
