#include "data/near_copies.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "data/code_points.h"

namespace entune {
namespace {

std::string masked(const Example& example) {
  const CodePointIndex index(example.text);
  std::string text;
  std::int64_t position = 0;
  const auto copy_to = [&](std::int64_t end) {
    bool in_number = false;
    for (const char c : index.slice(position, end)) {
      const bool is_digit = c >= '0' && c <= '9';
      if (!is_digit) text += c;
      if (is_digit && !in_number) text += '0';
      in_number = is_digit;
    }
  };
  for (const Entity& entity : example.entities) {
    if (entity.start < position) continue;
    copy_to(entity.start);
    text += "<" + entity.label + ">";
    position = entity.end;
  }
  copy_to(index.size());
  return text;
}

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = text.find_first_not_of(kSpace);
    if (start == std::string_view::npos) return words;
    text.remove_prefix(start);
    const std::size_t end = std::min(text.find_first_of(kSpace), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

std::unordered_set<std::string> masked_five_grams(const Example& example) {
  const std::string text = masked(example);
  const std::vector<std::string_view> words = words_of(text);
  std::unordered_set<std::string> grams;
  for (std::size_t i = 0; i + 5 <= words.size(); ++i) {
    std::string gram;
    for (std::size_t j = i; j < i + 5; ++j) gram.append(words[j]) += ' ';
    grams.insert(gram);
  }
  return grams;
}

double shared_five_grams(const Example& example, const std::unordered_set<std::string>& others) {
  const auto grams = masked_five_grams(example);
  if (grams.empty()) return 0.0;
  std::size_t shared = 0;
  for (const std::string& gram : grams) shared += others.count(gram);
  return static_cast<double>(shared) / static_cast<double>(grams.size());
}

}  // namespace entune
