#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace entune {

/// One word of a text: the code points [start, end).
struct Word {
  std::int64_t start = 0;
  std::int64_t end = 0;

  friend bool operator==(const Word&, const Word&) = default;
};

/// The one word splitter. Words hold no white space and together hold everything else:
///   - a punctuation mark or symbol is a word of its own: ASCII but for letters, digits, _ and control characters;
///   Latin-1 signs; the
///     blocks of general punctuation, currency, arrows, mathematics, pictographs and emoji, CJK and full-width
///     punctuation;
///   - so is a Han or kana character, since these scripts put no space between words;
///   - everything else (letters, digits, combining marks, joiners, control characters) makes words as long as possible.
/// `text` must be valid UTF-8.
std::vector<Word> split_words(std::string_view text);

/// Unicode's White_Space property.
bool is_white_space(char32_t c);

/// ASCII punctuation that stands at the edge of an entity in one annotation and beside it in another: the repaired
/// reading and the score trim_punct look past it.
inline constexpr std::string_view kEdgePunctuation = ".,;:!?()[]{}\"'";

}  // namespace entune
