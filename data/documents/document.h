#pragma once

#include <string>

namespace entune {

/// A text to answer, of any length.
struct Document {
  std::string id;    ///< the only thing of it that logs and errors may show
  std::string text;  ///< valid UTF-8
};

}  // namespace entune
