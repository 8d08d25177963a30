#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace entune::test {

/// What a shell command writes to its standard output.
inline std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  std::string output;
  char buffer[4096];
  while (const std::size_t size = fread(buffer, 1, sizeof buffer, pipe.get())) output.append(buffer, size);
  return output;
}

/// A Python that can import `module` (the variable ENTUNE_PYTHON), or nullptr.
inline const char* python_with(const std::string& module) {
  const char* python = std::getenv("ENTUNE_PYTHON");
  if (python == nullptr) return nullptr;
  return std::system(("'" + std::string(python) + "' -c 'import " + module + "'").c_str()) == 0 ? python : nullptr;
}

}  // namespace entune::test
