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

std::vector<fs::path> RunFolder::finished() const {
  std::vector<fs::path> folders;
  if (!fs::is_directory(root_ / "cells")) return folders;
  for (const auto& entry : fs::directory_iterator(root_ / "cells")) {
    if (fs::exists(entry.path() / "cell.json")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

void RunFolder::prepare(const std::vector<std::string>& cells, bool apart, bool overwrite) const {
  std::vector<fs::path> own;
  for (const std::string& name : cells) own.push_back(cell(name));
  for (const fs::path& folder : finished()) {
    if (overwrite || (apart && std::find(own.begin(), own.end(), folder) == own.end())) continue;
    throw InputError(fmt::format(
        "{}: expected no earlier run, found results in {}; give --overwrite to replace them, or another `output`",
        root_.string(), folder.filename().string()));
  }
  if (!apart) fs::remove_all(root_ / "cells");
  fs::create_directories(root_ / "cells");
  fs::permissions(root_, fs::perms::owner_all);
  for (const fs::path& folder : own) {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
}

}  // namespace entune
