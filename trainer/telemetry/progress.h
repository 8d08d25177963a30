#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace entune {

/// Progress of long work on standard error: one line that renews itself on a terminal (rate and time left), a plain
/// line every few seconds elsewhere. Under mpirun standard error is a pipe to mpirun: then it is mpirun's own standard
/// error that is asked. ENTUNE_TERMINAL=1 or 0 says it where that fails (srun, another machine).
class Progress {
 public:
  /// `total` 0: not known. `shown` false: silent (every rank but the first). `unit` is plural ("steps").
  Progress(std::string what, std::int64_t total, std::string unit, bool shown);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Also a beat (pulse.h), shown or not. `note`: a short remark behind the figures ("loss 0.41").
  void update(std::int64_t done, const std::string& note = "");

 private:
  using Clock = std::chrono::steady_clock;

  void print(const std::string& note);

  std::string what_;
  std::int64_t total_;
  std::string unit_;
  bool shown_;
  bool terminal_;
  std::int64_t done_ = 0;
  std::int64_t printed_ = -1;
  std::string last_note_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point last_print_ = begin_;
};

/// For work that reports bytes so far and bytes in all: progress in MiB and MiB per second, from its first report on.
/// The last line comes when the function and its copies are gone.
std::function<void(std::int64_t, std::int64_t)> byte_progress(std::string what, bool shown);

}  // namespace entune
