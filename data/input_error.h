#pragma once

#include <stdexcept>
#include <string>

namespace entune {

/// The user's input (recipe, data, model directory, command line) cannot be used. what() is the whole message:
/// "file:line: expected ..., found ...; do ...". It never holds sample text: ids, offsets and labels only.
/// main() prints it once, from rank 0, without a stack, and exits with code 2.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace entune
