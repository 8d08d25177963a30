#pragma once

#include <regex>
#include <string_view>
#include <vector>

namespace entune {

/// One surface form. All repetitions in `expression` are bounded: std::regex recurses for every character it repeats
/// over.
struct Pattern {
  std::string_view kind;  ///< email, phone, ...: see kind_of_label
  std::regex expression;
  int group = 0;                                ///< the part that is the value
  bool (*accepts)(std::string_view) = nullptr;  ///< a further check of the value (check digits, ranges); none if null
};

/// All patterns, the strictest first.
const std::vector<Pattern>& all_patterns();

/// The kind of pattern for a label of a data set, or "" if there is none.
std::string_view kind_of_label(std::string_view label);

}  // namespace entune
