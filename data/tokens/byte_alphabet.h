#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace entune {

/// GPT-2's byte alphabet: every byte is written as one printable character, so that a vocabulary of bytes can stand in
/// a text file. The bytes '!'..'~', 0xA1..0xAC and 0xAE..0xFF stand for themselves (as U+0021.. and so on); the other
/// 68, in ascending order, are U+0100..U+0143 (a space is U+0120, a line feed U+010A). Source: Radford et al. 2019, the
/// encoder of GPT-2.

/// Spells `bytes` in the alphabet.
std::string to_byte_alphabet(std::string_view bytes);

/// The bytes that `piece` spells, or nullopt if a character of it is not of the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view piece);

}  // namespace entune
