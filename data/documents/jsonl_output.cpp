#include "data/documents/jsonl_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "data/input_error.h"

namespace entune {
namespace {

/// Bytes of `path` up to and with its last line break.
std::int64_t whole_lines_bytes(int descriptor, std::int64_t size, const std::filesystem::path& path) {
  char block[4096];
  while (size > 0) {
    const std::int64_t begin = std::max<std::int64_t>(0, size - static_cast<std::int64_t>(sizeof block));
    const ssize_t count = pread(descriptor, block, static_cast<std::size_t>(size - begin), begin);
    if (count != size - begin) throw std::system_error(errno, std::generic_category(), path.string());
    const std::size_t at = std::string_view(block, static_cast<std::size_t>(count)).rfind('\n');
    if (at != std::string_view::npos) return begin + static_cast<std::int64_t>(at) + 1;
    size = begin;
  }
  return 0;
}

}  // namespace

JsonlOutput::JsonlOutput(const std::filesystem::path& path, Existing existing) : path_(path) {
  if (path == "-") {
    if (existing == Existing::resumed)
      throw InputError("--resume: expected an output file to go on with, found standard output; give --output FILE");
    descriptor_ = dup(STDOUT_FILENO);
    return;
  }
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor_ < 0 && errno == EACCES) descriptor_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  struct stat status {};
  if (descriptor_ < 0 || fstat(descriptor_, &status) != 0)
    throw InputError(fmt::format("{}: cannot be written; give another file to --output", path.string()));
  if (!S_ISREG(status.st_mode)) return;
  if (status.st_size > 0 && existing == Existing::refused) {
    close(descriptor_);
    throw InputError(
        fmt::format("{}: expected no file there, or an empty one, found one of {} bytes; give --overwrite "
                    "to replace it, --resume to go on behind it, or another file to --output",
                    path.string(), status.st_size));
  }
  // An earlier file may be open to all; one of another user cannot be changed.
  if (fchmod(descriptor_, 0600) != 0 && (status.st_mode & 077) != 0) {
    close(descriptor_);
    throw InputError(
        fmt::format("{}: expected a file that can be made its owner's alone to read, found mode {:04o}, "
                    "which cannot be changed; give another file, or - for standard output",
                    path.string(), status.st_mode & 07777));
  }
  if (status.st_size == 0) return;
  const std::int64_t kept = existing == Existing::resumed ? whole_lines_bytes(descriptor_, status.st_size, path) : 0;
  if (ftruncate(descriptor_, kept) != 0) throw std::system_error(errno, std::generic_category(), path.string());
  if (kept > 0) earlier_.open(path, std::ios::binary);
}

JsonlOutput::~JsonlOutput() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool JsonlOutput::has(const std::string& id) {
  if (!earlier_.is_open()) return false;
  std::string line;
  if (!std::getline(earlier_, line)) {
    earlier_.close();
    return false;
  }
  ++num_resumed_;
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object() || !object.contains("id") || !object["id"].is_string()) {
    throw InputError(
        fmt::format("{}:{}: expected a line of an earlier run, found something else; give the file that "
                    "was cut off, or start anew with --overwrite",
                    path_.string(), num_resumed_));
  }
  if (object["id"] != id) {
    throw InputError(
        fmt::format("{}:{}: expected document {}, found {}; give the same input as before, or start anew "
                    "with --overwrite",
                    path_.string(), num_resumed_, id, object["id"].get<std::string>()));
  }
  return true;
}

void JsonlOutput::require_no_more() {
  if (!earlier_.is_open() || earlier_.peek() == std::ifstream::traits_type::eof()) return;
  throw InputError(
      fmt::format("{}:{}: expected no more lines than the input has documents, found one; give the same "
                  "input as before, or start anew with --overwrite",
                  path_.string(), num_resumed_ + 1));
}

void JsonlOutput::write(std::string line) {
  line += '\n';
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t count = ::write(descriptor_, line.data() + done, line.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw std::system_error(errno, std::generic_category(), path_.string());
    done += static_cast<std::size_t>(count);
  }
}

}  // namespace entune
