#pragma once

namespace entune {

/// From now on SIGUSR1 asks this process to save its state and leave, as a batch system does before the time is up. A
/// second one changes nothing.
void watch_stop_signal();

/// Whether this process was asked to; other ranks may not have been yet (Trainer::asked_to_stop).
bool stop_requested();

}  // namespace entune
