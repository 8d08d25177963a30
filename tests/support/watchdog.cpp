#include "tests/support/watchdog.h"

#include <cstdlib>
#include <utility>

namespace entune::test {

Watchdog::Watchdog(std::chrono::milliseconds limit, std::function<void()> report)
    : limit_(limit), report_(std::move(report)), thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::start() {
  const std::lock_guard lock(mutex_);
  running_ = true;
  deadline_ = std::chrono::steady_clock::now() + limit_;
  changed_.notify_all();
}

void Watchdog::stop() {
  const std::lock_guard lock(mutex_);
  running_ = false;
  changed_.notify_all();
}

void Watchdog::watch() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (!running_) {
      changed_.wait(lock);
    } else if (std::chrono::steady_clock::now() < deadline_) {
      changed_.wait_until(lock, deadline_);
    } else {
      report_();
      std::_Exit(86);
    }
  }
}

}  // namespace entune::test
