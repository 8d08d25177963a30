#pragma once

#include <utf8.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "data/entity.h"

namespace entune {

inline const LabelList& test_labels() {
  static const LabelList labels = {{"PERSON", "Name of a person"},
                                   {"PHONE_NUMBER", "Telephone number"},
                                   {"GPE", "Place"},
                                   {"creative-work", "Title of a work"}};
  return labels;
}

/// Texts made to hurt: all planes of Unicode, combining marks, pieces of tags, quotes, control characters, repeated
/// surfaces.
class RandomExamples {
 public:
  explicit RandomExamples(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  /// A text of up to 40 pieces with up to 5 entities: flat ones at piece borders mostly, anywhere and overlapping
  /// sometimes.
  Example next() {
    Example example{.id = "random", .text = {}, .entities = {}, .group = {}};
    std::vector<std::int64_t> borders = {0};  // code points
    const std::size_t num_pieces = below(40);
    const bool is_plain = below(2) == 0;
    for (std::size_t i = 0; i < num_pieces; ++i) {
      const std::string next_piece = is_plain ? plain_piece() : piece();
      example.text += next_piece;
      borders.push_back(borders.back() + count_code_points(next_piece));
    }
    const std::int64_t size = borders.back();
    const std::size_t style = below(8);
    std::int64_t free_from = 0;
    for (std::size_t i = 0, num = below(6); i < num && size > 0; ++i) {
      Entity entity{borders[below(borders.size())], 0, test_labels()[below(test_labels().size())].name};
      entity.end = style == 0 ? entity.start + 1 + static_cast<std::int64_t>(below(4)) : borders[below(borders.size())];
      if (entity.start > entity.end) std::swap(entity.start, entity.end);
      if (style != 1 && entity.start < free_from) continue;  // style 1 may overlap
      if (entity.start == entity.end || entity.end > size) continue;
      free_from = entity.end;
      example.entities.push_back(entity);
    }
    std::sort(example.entities.begin(), example.entities.end());
    example.entities.erase(std::unique(example.entities.begin(), example.entities.end()), example.entities.end());
    return example;
  }
  /// A text with some bytes deleted, replaced, doubled or moved, or cut off.
  std::string mutate(std::string text) {
    for (std::size_t i = 0, num = 1 + below(6); i < num; ++i) {
      const std::size_t at = below(text.size() + 1);
      const std::size_t size = std::min<std::size_t>(1 + below(12), text.size() - at);
      switch (below(6)) {
        case 0:
          text.erase(at, size);
          break;
        case 1:
          text.insert(at, 1, static_cast<char>(below(256)));
          break;
        case 2:
          if (size > 0) text[at] = static_cast<char>(below(256));
          break;
        case 3:
          text.insert(below(text.size() + 1), text.substr(at, size));
          break;
        case 4:
          text.insert(at, piece());
          break;
        default:
          if (below(8) == 0) text.resize(at);
      }
    }
    return text;
  }

 private:
  static std::int64_t count_code_points(const std::string& text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  }

  std::string plain_piece() {
    static const std::vector<std::string> kPieces = {"Ann", " ", " ",        " ", "\n",     "Smith", "555",
                                                     ",",   ".", "Zo\u00eb", "(", "\u4e2d", "a"};
    return kPieces[below(kPieces.size())];
  }

  std::string piece() {
    static const std::vector<std::string> kPieces = {"<PERSON>",
                                                     "</PERSON>",
                                                     "<GPE",
                                                     "PERSON>",
                                                     "<",
                                                     ">",
                                                     "</",
                                                     "<FOO>",
                                                     "</FOO>",
                                                     "<foo>",
                                                     "[",
                                                     "]",
                                                     " | ",
                                                     " | GPE]",
                                                     "| FOO]",
                                                     " | FOO]",
                                                     "[Ann | PERSON]",
                                                     "{",
                                                     "}",
                                                     "\"",
                                                     "'",
                                                     "\\",
                                                     "\\n",
                                                     "\\u0041",
                                                     "\"}]",
                                                     "[]",
                                                     "[{",
                                                     "```json",
                                                     "B-PERSON",
                                                     "I-GPE",
                                                     " O",
                                                     "O",
                                                     "\t",
                                                     "\r\n",
                                                     "\r",
                                                     "\v",
                                                     "\u0301",
                                                     "e\u0301",
                                                     "\u200d",
                                                     "\U0001F469\u200d\U0001F4BB",
                                                     "\U0001F600",
                                                     "\u00a0",
                                                     "\u2028",
                                                     "\u3000",
                                                     "\u0085",
                                                     "aa",
                                                     "aaa",
                                                     "aba",
                                                     "ab",
                                                     std::string(1, '\0'),
                                                     "\x01",
                                                     "\x1b",
                                                     "\x7f",
                                                     "\ufeff",
                                                     "\ufffd",
                                                     "\uffff",
                                                     "\U0010FFFF",
                                                     "\u0627\u0644",
                                                     "\u202e",
                                                     "creative-work",
                                                     "<creative-work>"};
    if (below(3) == 0) return plain_piece();
    if (below(4) != 0) return kPieces[below(kPieces.size())];
    char32_t c = static_cast<char32_t>(below(0x110000));
    if (below(2) == 0) c &= 0xFFF;
    if (c >= 0xD800 && c <= 0xDFFF) c = 0xFFFD;
    std::string encoded;
    utf8::append(c, std::back_inserter(encoded));
    return encoded;
  }

  std::mt19937_64 random_;
};

}  // namespace entune
