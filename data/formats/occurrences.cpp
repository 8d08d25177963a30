#include "data/formats/occurrences.h"

#include <cstring>

namespace entune {
namespace {

/// Up to this size the C library's search (memmem: glibc, musl, BSD) is faster, and its worst case is bounded by it.
constexpr std::size_t kShortValue = 32;

}  // namespace

std::vector<std::size_t> find_occurrences(std::string_view value, std::string_view text) {
  std::vector<std::size_t> found;
  if (value.empty() || value.size() > text.size()) return found;
  if (value.size() <= kShortValue) {
    const auto next = [&](std::size_t from) {
      const void* at = memmem(text.data() + from, text.size() - from, value.data(), value.size());
      return at == nullptr ? text.size() : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
    };
    for (std::size_t at = next(0); at < text.size(); at = next(at + 1)) found.push_back(at);
    return found;
  }
  // border[i]: length of the longest proper prefix of value that also ends at byte i.
  std::vector<std::size_t> border(value.size(), 0);
  for (std::size_t i = 1, length = 0; i < value.size(); ++i) {
    while (length > 0 && value[i] != value[length]) length = border[length - 1];
    if (value[i] == value[length]) ++length;
    border[i] = length;
  }
  for (std::size_t i = 0, length = 0; i < text.size(); ++i) {
    while (length > 0 && text[i] != value[length]) length = border[length - 1];
    if (text[i] == value[length]) ++length;
    if (length == value.size()) {
      found.push_back(i + 1 - length);
      length = border[length - 1];
    }
  }
  return found;
}

}  // namespace entune
