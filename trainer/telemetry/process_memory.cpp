#include "trainer/telemetry/process_memory.h"

#include <fstream>
#include <sstream>
#include <string>

namespace entune {

namespace {

/// A field of /proc/self/status that is given in kB.
std::int64_t status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) != 0) continue;
    std::istringstream rest(line.substr(field.size() + 1));
    std::int64_t kibibytes = 0;
    rest >> kibibytes;
    return kibibytes * 1024;
  }
  return 0;
}

}  // namespace

std::int64_t peak_memory_bytes() { return status_bytes("VmHWM"); }

std::int64_t resident_memory_bytes() { return status_bytes("VmRSS"); }

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace entune
