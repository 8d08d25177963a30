#include "trainer/study/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "data/input_error.h"

namespace entune {
namespace fs = std::filesystem;

fs::path RunFolder::cell(const std::string& name) const {
  std::string folder = name;
  std::replace_if(
      folder.begin(), folder.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '=' && c != '-' && c != '_'; }, '_');
  return root_ / "cells" / folder;
}

void RunFolder::prepare(const std::vector<std::string>& cells, bool overwrite) const {
  for (const std::string& name : cells) {
    if (!fs::exists(cell(name) / "cell.json")) continue;
    if (!overwrite) {
      throw InputError(
          fmt::format("{}: expected no earlier run, found results of cell {}; give --overwrite to replace them, or "
                      "another `output`",
                      root_.string(), name));
    }
  }
  fs::create_directories(root_ / "cells");
  fs::permissions(root_, fs::perms::owner_all);
  for (const std::string& name : cells) {
    fs::remove_all(cell(name));
    fs::create_directories(cell(name));
  }
}

}  // namespace entune
