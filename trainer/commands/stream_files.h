#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/documents/jsonl_output.h"
#include "data/input_error.h"

namespace entune {

/// A file to read, opened. Throws InputError.
inline std::ifstream open_input(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path))
    throw InputError(fmt::format("{}: expected a file that can be read, found none", path));
  return file;
}

/// What becomes of an output that is there, by --resume and --overwrite.
inline JsonlOutput::Existing existing_output(bool resume, bool overwrite) {
  if (resume) return JsonlOutput::Existing::resumed;
  return overwrite ? JsonlOutput::Existing::replaced : JsonlOutput::Existing::refused;
}

/// Whether both name one file, there or not.
inline bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::weakly_canonical(a, error);  // empty if that cannot be
  return (!path.empty() && path == std::filesystem::weakly_canonical(b, error)) ||
         std::filesystem::equivalent(a, b, error);
}

/// Throws InputError if what is to be written is one of the files that are read, or both outputs are one.
inline void require_apart(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::vector<std::string> others = inputs;
    others.insert(others.end(), outputs.begin(), outputs.begin() + static_cast<std::ptrdiff_t>(i));
    for (const std::string& other : others) {
      if (is_same_file(outputs[i], other))
        throw InputError(fmt::format("{}: expected another file than {}, found the same", outputs[i], other));
    }
  }
}

}  // namespace entune
