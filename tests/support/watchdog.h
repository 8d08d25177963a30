#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace entune::test {

/// Ends the process (exit code 86; mpirun then ends the other ranks) when what it guards takes longer than `limit`.
/// Uses no MPI: the main thread may be stuck in it.
class Watchdog {
 public:
  /// `report` is called on the watchdog's thread before the end.
  Watchdog(std::chrono::milliseconds limit, std::function<void()> report);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void start();
  void stop();

 private:
  void watch();

  const std::chrono::milliseconds limit_;
  const std::function<void()> report_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool running_ = false;
  bool ending_ = false;
  std::chrono::steady_clock::time_point deadline_;
  std::thread thread_;
};

}  // namespace entune::test
