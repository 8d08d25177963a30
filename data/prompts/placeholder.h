#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace entune {

/// The next "{name}" with name of [a-z_]+ at or after byte `from` of a turn: its first byte and its size, size 0 if
/// there is none. Other braces are text.
std::pair<std::size_t, std::size_t> find_placeholder(std::string_view turn, std::size_t from);

}  // namespace entune
