#include "data/tokens/byte_alphabet.h"

#include <array>
#include <cstdint>

namespace entune {
namespace {

constexpr char32_t kFirstSubstitute = 0x100;
constexpr char32_t kNumSubstitutes = 68;

struct Alphabet {
  std::array<char32_t, 256> code_points;                   // by byte
  std::array<unsigned char, kNumSubstitutes> substituted;  // byte of U+0100 + i
};

constexpr bool stands_for_itself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr Alphabet make_alphabet() {
  Alphabet alphabet{};
  std::size_t next = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (stands_for_itself(byte)) {
      alphabet.code_points[static_cast<std::size_t>(byte)] = static_cast<char32_t>(byte);
    } else {
      alphabet.code_points[static_cast<std::size_t>(byte)] = kFirstSubstitute + static_cast<char32_t>(next);
      alphabet.substituted[next++] = static_cast<unsigned char>(byte);
    }
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string piece;
  piece.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const char32_t code_point = kAlphabet.code_points[static_cast<unsigned char>(c)];
    if (code_point < 0x80) {
      piece += static_cast<char>(code_point);
    } else {  // all are below U+0800: two bytes of UTF-8
      piece += static_cast<char>(0xC0 | (code_point >> 6));
      piece += static_cast<char>(0x80 | (code_point & 0x3F));
    }
  }
  return piece;
}

std::optional<std::string> from_byte_alphabet(std::string_view piece) {
  std::string bytes;
  bytes.reserve(piece.size());
  for (std::size_t i = 0; i < piece.size();) {
    const auto lead = static_cast<unsigned char>(piece[i++]);
    char32_t code_point = lead;
    if (lead >= 0x80) {
      if ((lead & 0xE0) != 0xC0 || i == piece.size()) return std::nullopt;
      const auto tail = static_cast<unsigned char>(piece[i++]);
      if ((tail & 0xC0) != 0x80) return std::nullopt;
      code_point = static_cast<char32_t>((lead & 0x1F) << 6 | (tail & 0x3F));
    }
    if (code_point >= kFirstSubstitute && code_point < kFirstSubstitute + kNumSubstitutes) {
      bytes += static_cast<char>(kAlphabet.substituted[code_point - kFirstSubstitute]);
    } else if (code_point < kFirstSubstitute && stands_for_itself(static_cast<int>(code_point))) {
      bytes += static_cast<char>(code_point);
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

}  // namespace entune
