#pragma once

#include <filesystem>

namespace entune {

/// A directory that appears whole or not at all: filled under a hidden name beside its place, then renamed. Without
/// commit() the destructor removes it. (Ranks that fill one together: write_staged, gathered_writer.h.)
class StagedDirectory {
 public:
  /// Throws InputError if `target` exists and is not an empty directory. Makes the directories above it.
  explicit StagedDirectory(const std::filesystem::path& target);
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  /// Where to write until commit().
  const std::filesystem::path& path() const { return staging_; }
  /// The rename, on disk when it returns. Throws std::filesystem::filesystem_error if the place was taken meanwhile.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path staging_;
  bool committed_ = false;
};

}  // namespace entune
