#include "data/code_points.h"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>

#include "data/input_error.h"

namespace entune {

CodePointIndex::CodePointIndex(std::string_view text) : text_(text) {
  const auto invalid = utf8::find_invalid(text.begin(), text.end());
  if (invalid != text.end()) {
    throw InputError(fmt::format("expected UTF-8 text, found an invalid byte at offset {}; re-encode the file as UTF-8",
                                 invalid - text.begin()));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) starts_.push_back(i);
  }
  starts_.push_back(text.size());
}

std::int64_t CodePointIndex::code_point(std::size_t byte) const {
  const auto found = std::lower_bound(starts_.begin(), starts_.end(), byte);
  return found != starts_.end() && *found == byte ? found - starts_.begin() : -1;
}

std::string_view CodePointIndex::slice(std::int64_t start, std::int64_t end) const {
  return text_.substr(byte_offset(start), byte_offset(end) - byte_offset(start));
}

}  // namespace entune
