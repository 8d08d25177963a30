#include "data/formats/writable_text.h"

#include <utf8.h>

#include <algorithm>

namespace entune {

std::string writable_text(std::string_view text, const TokenAlphabet& alphabet) {
  std::string result;
  for (auto at = text.begin(); at != text.end();) {
    auto end = at;
    utf8::next(end, text.end());
    const bool is_writable =
        std::all_of(at, end, [&](char byte) { return alphabet.writable[static_cast<unsigned char>(byte)]; });
    if (is_writable) result.append(at, end);
    at = end;
  }
  return result;
}

std::vector<std::int32_t> fewest_tokens(std::string_view text, const TokenAlphabet& alphabet) {
  if (alphabet.fewest_tokens) return alphabet.fewest_tokens(text);
  std::vector<std::int32_t> result;
  for (std::size_t at = 0; at <= text.size(); ++at) result.push_back(static_cast<std::int32_t>(text.size() - at));
  return result;
}

}  // namespace entune
