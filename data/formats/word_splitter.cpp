#include "data/formats/word_splitter.h"

#include <utf8.h>

#include <algorithm>
#include <array>

namespace entune {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

/// Code points that are words of their own, ascending.
constexpr std::array kSingles = std::to_array<Range>({
    {0x21, 0x2F},        // ! to /
    {0x3A, 0x40},        // : to @
    {0x5B, 0x5E},        // [ to ^; the underscore belongs to words
    {0x60, 0x60},        // `
    {0x7B, 0x7E},        // { to ~
    {0xA1, 0xA9},        // signs of Latin-1, but for the ordinals, the micro sign, superscripts and fractions
    {0xAB, 0xAC},        //
    {0xAE, 0xB1},        //
    {0xB4, 0xB4},        //
    {0xB6, 0xB8},        //
    {0xBB, 0xBB},        //
    {0xBF, 0xBF},        //
    {0xD7, 0xD7},        // multiplication sign
    {0xF7, 0xF7},        // division sign
    {0x2010, 0x2027},    // dashes, quotation marks, ellipsis
    {0x2030, 0x205E},    // general punctuation
    {0x20A0, 0x20CF},    // currency
    {0x2190, 0x245F},    // arrows, mathematics, technical
    {0x2500, 0x2BFF},    // boxes, symbols, dingbats
    {0x2E00, 0x2E7F},    // supplemental punctuation
    {0x3001, 0x3004},    // CJK punctuation
    {0x3008, 0x3020},    //
    {0x3030, 0x3030},    //
    {0x3041, 0x3096},    // hiragana
    {0x30A0, 0x30FA},    // katakana; its length mark joins
    {0x3400, 0x4DBF},    // Han
    {0x4E00, 0x9FFF},    //
    {0xF900, 0xFAFF},    //
    {0xFE10, 0xFE19},    // vertical forms
    {0xFE30, 0xFE6B},    // CJK compatibility and small forms
    {0xFF01, 0xFF0F},    // full-width punctuation
    {0xFF1A, 0xFF20},    //
    {0xFF3B, 0xFF40},    //
    {0xFF5B, 0xFF65},    //
    {0xFFFC, 0xFFFD},    // replacement characters
    {0x1F000, 0x1FAFF},  // pictographs and emoji
    {0x20000, 0x3FFFD},  // Han, supplementary planes
});

bool is_single(char32_t c) {
  const auto after = std::upper_bound(kSingles.begin(), kSingles.end(), c,
                                      [](char32_t value, const Range& range) { return value < range.first; });
  return after != kSingles.begin() && c <= std::prev(after)->last;
}

}  // namespace

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::vector<Word> split_words(std::string_view text) {
  std::vector<Word> words;
  bool word_goes_on = false;
  std::int64_t position = 0;
  for (auto at = text.begin(); at != text.end(); ++position) {
    const char32_t c = utf8::next(at, text.end());
    const bool single = is_single(c);
    if (is_white_space(c)) {
      word_goes_on = false;
    } else if (word_goes_on && !single) {
      words.back().end = position + 1;
    } else {
      words.push_back({position, position + 1});
      word_goes_on = !single;
    }
  }
  return words;
}

}  // namespace entune
