#pragma once

#include <cstdint>
#include <string_view>

#include "data/formats/output_format.h"

namespace entune {

/// Both texts are compared up to here; what lies beyond counts as if no character of it were right, so that the
/// distance of longer texts is an upper bound.
inline constexpr std::size_t kMaxComparedCodePoints = std::size_t{1} << 14;

/// Levenshtein distance: the fewest insertions, deletions and substitutions of one code point that make one text of the
/// other. What the texts have in common at their ends costs nothing; of the rest, each code point of the first text
/// costs one step for every 64 of the second one, at most kMaxComparedCodePoints^2 / 64 = 4 million steps.
std::int64_t edit_distance(std::u32string_view a, std::u32string_view b);

/// The distance of a copy from what it should be. Both are valid UTF-8.
CopyDistance copy_distance(std::string_view copy, std::string_view original);

}  // namespace entune
