#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "data/deidentify/secret_key.h"
#include "data/input_error.h"
#include "trainer/commands/stream_files.h"

namespace entune {

/// Throws InputError if what is to be written is the file of a key. Its name is not said: a key may stand there by
/// mistake.
inline void require_key_apart(const KeySource& key, const std::vector<std::string>& outputs) {
  for (const std::string& output : outputs) {
    if (!key.file.empty() && !output.empty() && is_same_file(output, key.file))
      throw InputError(fmt::format("{}: expected another file than the key's, found the same", output));
  }
}

}  // namespace entune
