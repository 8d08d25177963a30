#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/answer_grammar.h"

namespace entune {

/// `text` (valid UTF-8) without the characters that the alphabet cannot write.
std::string writable_text(std::string_view text, const TokenAlphabet& alphabet);
/// For each byte of `text`, and its end, with how many tokens the rest can be written: the fewest, or one a byte.
std::vector<std::int32_t> fewest_tokens(std::string_view text, const TokenAlphabet& alphabet);

}  // namespace entune
