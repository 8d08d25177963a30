#include "trainer/weights/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "data/input_error.h"

namespace entune {

InputFile::InputFile(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK: opening a named pipe would wait for a writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    throw InputError(fmt::format("{}: expected a readable file, found: {}", path.string(), std::strerror(errno)));
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw InputError(
        fmt::format("{}: expected a regular file, found a directory, a pipe or a device; name a file", path.string()));
  }
  size_bytes_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(other.size_bytes_) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void InputFile::read_at(std::uint64_t offset, void* destination, std::size_t num_bytes) const {
  auto* out = static_cast<char*>(destination);
  while (num_bytes > 0) {
    const ssize_t got = ::pread(descriptor_, out, num_bytes, static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw std::system_error(errno, std::generic_category(),
                              fmt::format("{}: read at byte {}", path_.string(), offset));
    }
    if (got == 0) {
      throw InputError(
          fmt::format("{}: expected {} more bytes at byte {}, found the end of the file; fetch the file again",
                      path_.string(), num_bytes, offset));
    }
    out += got;
    offset += static_cast<std::uint64_t>(got);
    num_bytes -= static_cast<std::size_t>(got);
  }
}

}  // namespace entune
