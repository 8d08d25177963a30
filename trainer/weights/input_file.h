#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace entune {

/// A regular file, read at any offset by pread: no shared position, no mapping (a file cut short under a mapping kills
/// the process).
class InputFile {
 public:
  /// Throws InputError if `path` cannot be opened or is not a regular file. Symbolic links are followed (model caches
  /// consist of them).
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size_bytes() const { return size_bytes_; }
  /// Throws InputError if the file ends before offset + num_bytes, std::system_error if the disk fails.
  void read_at(std::uint64_t offset, void* destination, std::size_t num_bytes) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace entune
