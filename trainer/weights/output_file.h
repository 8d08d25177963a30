#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace entune {

/// A file that appears whole or not at all: written under a temporary name beside its place, then fsync and rename.
/// Errors of the disk are std::system_error. Without commit() the destructor removes what was written.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write_at(std::uint64_t offset, const void* source, std::size_t num_bytes);
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// A whole text file by OutputFile.
void write_text_file(const std::filesystem::path& path, std::string_view text);
/// A copy of a file by OutputFile, replacing what is there. Throws InputError if `from` cannot be read.
void copy_whole_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// Brings a directory's names to the disk (fsync).
void sync_directory(const std::filesystem::path& directory);

}  // namespace entune
