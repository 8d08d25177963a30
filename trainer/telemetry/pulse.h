#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace entune {

/// What a process is at, for a watchdog and for people. data to optimizer are a step's; report: scores, tables, files;
/// finish: the ranks part.
enum class Phase : std::uint64_t {
  start,
  load,
  data,
  forward,
  backward,
  communication,
  optimizer,
  checkpoint,
  evaluation,
  export_weights,
  report,
  finish,
};
constexpr std::array<const char*, 12> kPhaseNames = {"start",         "load",      "data",       "forward",
                                                     "backward",      "communication", "optimizer", "checkpoint",
                                                     "evaluation",    "export",    "report",     "finish"};
inline const char* name_of(Phase phase) { return kPhaseNames[static_cast<std::size_t>(phase)]; }

/// Signs of life of the thread that does the work. Plain numbers, written by that thread alone and read by others, also
/// of other processes: by std::atomic_ref, relaxed.
struct Pulse {
  std::uint64_t beats = 0;  ///< raised by every one of the calls below, and at either end of a collective
  Phase phase = Phase::start;
  std::int64_t step = 0;  ///< the one under way, from 1; 0: none so far
};

/// From now on the calls below, from this thread, go to `pulse`; null: to nobody, as before the first call. It must
/// outlive them. They take nanoseconds.
void set_pulse(Pulse* pulse);

void enter_phase(Phase phase);
void enter_step(std::int64_t step);
/// Work that may take long goes on: a file, a batch, a text. Progress::update says so too.
void beat();

}  // namespace entune
