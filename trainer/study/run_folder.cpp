#include "trainer/study/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "data/input_error.h"

namespace entune {
namespace fs = std::filesystem;

namespace {

void remove_files(const fs::path& cell, bool but_training) {
  if (!but_training) fs::remove_all(cell);
  if (!fs::is_directory(cell)) return;
  std::vector<fs::path> surplus;
  for (const auto& entry : fs::directory_iterator(cell)) {
    const std::string name = entry.path().filename();
    if (name != "steps.jsonl" && name != "checkpoints") surplus.push_back(entry.path());
  }
  for (const fs::path& path : surplus) fs::remove_all(path);
}

}  // namespace

fs::path RunFolder::cell(const std::string& name) const {
  std::string folder = name;
  std::replace_if(
      folder.begin(), folder.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '=' && c != '-' && c != '_'; }, '_');
  return root_ / "cells" / folder;
}

bool RunFolder::is_finished(const std::string& cell) const { return fs::exists(this->cell(cell) / "cell.json"); }

std::vector<fs::path> RunFolder::finished() const {
  std::vector<fs::path> folders;
  if (!fs::is_directory(root_ / "cells")) return folders;
  for (const auto& entry : fs::directory_iterator(root_ / "cells")) {
    if (fs::exists(entry.path() / "cell.json")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

void RunFolder::prepare(const std::vector<std::string>& cells, bool apart, Earlier earlier) const {
  const auto refuse = [&](const std::string& expected, const std::string& found) {
    throw InputError(fmt::format("{}: expected {}, found {}; give --overwrite to replace it, --resume auto to go "
                                 "on with it, or another `output`",
                                 root_.string(), expected, found));
  };
  require_folder();
  std::vector<fs::path> own;
  for (const std::string& name : cells) own.push_back(cell(name));
  if (earlier == Earlier::refused && fs::is_directory(root_ / "cells")) {
    for (const auto& entry : fs::directory_iterator(root_ / "cells")) {
      const bool counts = !apart || std::find(own.begin(), own.end(), entry.path()) != own.end();
      // A run that was refused while it loaded its weights leaves nothing but empty folders.
      if (!counts || (entry.is_directory() && fs::is_empty(entry.path()))) continue;
      const bool is_finished = fs::exists(entry.path() / "cell.json");
      refuse("no earlier run", fmt::format("{} in cells/{}", is_finished ? "results" : "files of an unfinished run",
                                           entry.path().filename().string()));
    }
  }
  if (!apart && earlier != Earlier::resumed) {
    fs::remove_all(root_ / "cells");
    fs::remove_all(root_ / "metrics");
  }
  if (fs::create_directories(root_)) fs::permissions(root_, fs::perms::owner_all);
  for (const fs::path& folder : own) {
    remove_files(folder, earlier == Earlier::resumed);
    fs::create_directories(folder);
  }
}

void RunFolder::require_folder() const {
  for (const fs::path& path : {root_, root_ / "cells"}) {
    if (fs::exists(path) && !fs::is_directory(path)) {
      throw InputError(fmt::format("output: expected a folder for the run, or none yet, found the file {}; name another",
                                   path.string()));
    }
  }
}

}  // namespace entune
