#pragma once

#include <unistd.h>

#include <climits>
#include <string>

namespace entune {

/// As the machine calls itself (hostname).
inline std::string machine_name() {
  char name[HOST_NAME_MAX + 1] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace entune
