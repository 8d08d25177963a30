#pragma once

#include <string>
#include <string_view>

namespace entune {

/// What a model wrote, as a turn that a recipe can hold and read back to the letter. Dropped: bytes that are no UTF-8
/// (a draft can end inside a character) and U+FFFD, which stands for such; control characters but line feeds; byte
/// order marks; spaces and line feeds at both ends. A tab becomes a space; the line breaks U+0085, U+2028 and U+2029
/// become line feeds. What would be read as a placeholder is no longer one: "{word}" becomes "{ word}". May leave
/// nothing.
std::string drafted_turn(std::string_view generated);

}  // namespace entune
