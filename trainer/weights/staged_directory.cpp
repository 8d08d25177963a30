#include "trainer/weights/staged_directory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "data/input_error.h"
#include "trainer/weights/output_file.h"

namespace entune {

StagedDirectory::StagedDirectory(const std::filesystem::path& target)
    : target_(std::filesystem::absolute(target).lexically_normal()) {
  if (!target_.has_filename()) {
    target_ = target_.parent_path();  // "models/x/"
  }
  if (std::filesystem::exists(target_) &&
      !(std::filesystem::is_directory(target_) && std::filesystem::is_empty(target_))) {
    throw InputError(
        fmt::format("{}: expected a new or empty directory to write to, found one with files (or a file); remove it or "
                    "name another",
                    target_.string()));
  }
  staging_ = target_.parent_path() / fmt::format(".{}.partial-{}", target_.filename().string(), ::getpid());
  std::filesystem::remove_all(staging_);
  std::filesystem::create_directories(staging_);
}

StagedDirectory::~StagedDirectory() {
  if (!committed_) {
    std::error_code ignored;  // the error that brought us here is the one to report
    std::filesystem::remove_all(staging_, ignored);
  }
}

void StagedDirectory::commit() {
  std::filesystem::rename(staging_, target_);
  committed_ = true;
  sync_directory(target_.parent_path());
}

}  // namespace entune
