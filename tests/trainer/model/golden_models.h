#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace entune::test {

/// The files of make_golden.py (`part` model) and make_ten_steps.py (`part` loop): those that are committed, or freshly
/// made ones at ENTUNE_GOLDEN (live_parity.sh). `source`: the checkout, ENTUNE_SOURCE_DIR.
inline std::filesystem::path golden_folder(const std::filesystem::path& source, const std::string& part) {
  if (const char* fresh = std::getenv("ENTUNE_GOLDEN")) return std::filesystem::path(fresh) / part;
  return source / "tests/trainer" / part / "golden";
}

/// Their models, by name.
inline std::vector<std::string> golden_models(const std::filesystem::path& source) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder(source, "model")))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace entune::test
