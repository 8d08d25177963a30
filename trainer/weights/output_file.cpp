#include "trainer/weights/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <vector>

#include "trainer/weights/input_file.h"

namespace entune {
namespace {

constexpr std::uint64_t kCopyBytes = std::uint64_t{8} << 20;

[[noreturn]] void fail(const std::filesystem::path& path, const char* action) {
  throw std::system_error(errno, std::generic_category(), fmt::format("{}: {}", path.string(), action));
}

}  // namespace

OutputFile::OutputFile(const std::filesystem::path& path)
    : path_(path), temporary_(path.string() + fmt::format(".partial-{}", ::getpid())) {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    fail(temporary_, "create");
  }
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void OutputFile::write_at(std::uint64_t offset, const void* source, std::size_t num_bytes) {
  const auto* bytes = static_cast<const char*>(source);
  while (num_bytes > 0) {
    const ssize_t put = ::pwrite(descriptor_, bytes, num_bytes, static_cast<off_t>(offset));
    if (put < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail(temporary_, "write");
    }
    bytes += put;
    offset += static_cast<std::uint64_t>(put);
    num_bytes -= static_cast<std::size_t>(put);
  }
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) {
    fail(temporary_, "fsync");
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail(path_, "rename");
  }
  ::close(descriptor_);
  descriptor_ = -1;
  // The new name lies in the directory, which has to reach the disk too.
  sync_directory(path_.has_parent_path() ? path_.parent_path() : ".");
}

void write_text_file(const std::filesystem::path& path, std::string_view text) {
  OutputFile file(path);
  file.write_at(0, text.data(), text.size());
  file.commit();
}

void copy_whole_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  const InputFile source(from);
  OutputFile copy(to);
  std::vector<char> piece(std::min<std::uint64_t>(source.size_bytes(), kCopyBytes));
  for (std::uint64_t done = 0; done < source.size_bytes(); done += piece.size()) {
    const std::size_t num_bytes = std::min<std::uint64_t>(piece.size(), source.size_bytes() - done);
    source.read_at(done, piece.data(), num_bytes);
    copy.write_at(done, piece.data(), num_bytes);
  }
  copy.commit();
}

void sync_directory(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    fail(directory, "open");
  }
  const int status = ::fsync(descriptor);
  ::close(descriptor);
  if (status != 0) {
    fail(directory, "fsync");
  }
}

}  // namespace entune
