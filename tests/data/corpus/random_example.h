#pragma once

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "data/code_points.h"
#include "data/entity.h"
#include "data/random.h"

namespace entune {

/// A code point of any plane, often one that a format or a line reader could trip over.
inline char32_t random_code_point(Random& random) {
  static const std::u32string hostile =
      U"\n\r\t \"\\/<>&[]{}|,:\0\x1F\x7F\x85\xA0\u0301\u2028\u2029\uFEFF\uFFFD\U0001F600ab0";
  if (random.chance(0.6))
    return hostile[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(hostile.size())))];
  while (true) {
    const auto code_point = static_cast<char32_t>(random.below(0x110000));
    if (code_point < 0xD800 || code_point > 0xDFFF) return code_point;
  }
}

inline std::string random_text(Random& random, std::int64_t max_length) {
  std::string text;
  const std::int64_t length = random.below(max_length + 1);
  for (std::int64_t i = 0; i < length; ++i) utf8::append(random_code_point(random), std::back_inserter(text));
  return text;
}

/// Any text with any entities that a corpus may hold: nested, crossing, touching, but not over white space alone.
inline Example random_example(Random& random, std::string id) {
  Example example{
      std::move(id), random_text(random, 40), {}, random.chance(0.5) ? "" : fmt::format("g{}", random.below(9))};
  const CodePointIndex index(example.text);
  for (std::int64_t i = random.below(6); i > 0 && index.size() > 0; --i) {
    const std::int64_t start = random.below(index.size());
    const std::int64_t end = random.between(start + 1, index.size());
    if (index.slice(start, end).find_first_not_of(" \t\r\n\f\v") == std::string::npos) continue;
    example.entities.push_back({start, end, random.chance(0.5) ? "PERSON" : "ÄRA"});
  }
  std::sort(example.entities.begin(), example.entities.end());
  example.entities.erase(std::unique(example.entities.begin(), example.entities.end()), example.entities.end());
  return example;
}

}  // namespace entune
