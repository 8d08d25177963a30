#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace entune {

/// Every byte of `text` at which `value` begins, ascending. Overlapping occurrences count one by one: "aa" begins in
/// "aaa" at 0 and at 1, so that any stretch of a text is the n-th occurrence of its value for exactly one n. Empty for
/// an empty value. Linear in both sizes, whatever they hold (Knuth, Morris, Pratt 1977).
std::vector<std::size_t> find_occurrences(std::string_view value, std::string_view text);

}  // namespace entune
