#include "trainer/loop/stop_signal.h"

#include <csignal>

namespace entune {
namespace {

volatile std::sig_atomic_t requested = 0;

extern "C" void note_request(int) { requested = 1; }

}  // namespace

void watch_stop_signal() {
  struct sigaction action = {};
  action.sa_handler = note_request;
  action.sa_flags = SA_RESTART;  // no read or write of a library ends early for it
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGUSR1, &action, nullptr);
}

bool stop_requested() { return requested != 0; }

}  // namespace entune
