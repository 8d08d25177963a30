#include "data/prompts/drafted_turn.h"

#include <utf8.h>

#include <iterator>

#include "data/prompts/placeholder.h"

namespace entune {
namespace {

constexpr char32_t kInvalid = 0xFFFD;  // stands for bytes that are no UTF-8

constexpr bool is_dropped(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xFEFF || (c >= kInvalid && c <= 0xFFFF);
}

std::string printable(std::string_view generated) {
  std::string valid;
  utf8::replace_invalid(generated.begin(), generated.end(), std::back_inserter(valid), kInvalid);
  std::string text;
  for (auto at = valid.begin(); at != valid.end();) {
    const char32_t c = utf8::next(at, valid.end());
    if (c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029) {
      text += '\n';
    } else if (c == '\t') {
      text += ' ';
    } else if (!is_dropped(c)) {
      utf8::append(c, std::back_inserter(text));
    }
  }
  return text;
}

}  // namespace

std::string drafted_turn(std::string_view generated) {
  std::string text = printable(generated);
  const std::size_t first = text.find_first_not_of(" \n");
  if (first == text.npos) return {};
  text = text.substr(first, text.find_last_not_of(" \n") + 1 - first);
  for (std::size_t at = 0;;) {
    const auto [begin, size] = find_placeholder(text, at);
    if (size == 0) return text;
    text.insert(begin + 1, 1, ' ');
    at = begin + 1 + size;
  }
}

}  // namespace entune
