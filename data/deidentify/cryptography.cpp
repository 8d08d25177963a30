#include "data/deidentify/cryptography.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace entune {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::string_view kBase64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void check(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL: ") + what + " failed");
}

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Cipher begin(std::string_view key, std::string_view nonce, bool encrypts) {
  if (key.size() != kKeyBytes || nonce.size() != kNonceBytes)
    throw std::logic_error("AES-256-GCM: a key of 32 bytes and a nonce of 12");
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  check(cipher != nullptr, "EVP_CIPHER_CTX_new");
  check(EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(nonce), encrypts ? 1 : 0) == 1,
        "EVP_CipherInit_ex");
  return cipher;
}

/// `output` null: associated data.
void update(const Cipher& cipher, unsigned char* output, std::string_view input) {
  int length = 0;
  if (input.empty()) return;
  check(EVP_CipherUpdate(cipher.get(), output, &length, bytes(input), static_cast<int>(input.size())) == 1,
        "EVP_CipherUpdate");
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view message) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned length = 0;
  check(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(message), message.size(), bytes(digest),
             &length) != nullptr,
        "HMAC");
  return digest;
}

std::string sha256(std::string_view message) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(bytes(message), message.size(), bytes(digest));
  return digest;
}

std::string random_bytes(std::size_t count) {
  std::string drawn(count, '\0');
  check(RAND_bytes(bytes(drawn), static_cast<int>(count)) == 1, "RAND_bytes");
  return drawn;
}

std::string seal(std::string_view key, std::string_view associated, std::string_view plain) {
  return seal_with_nonce(key, random_bytes(kNonceBytes), associated, plain);
}

std::string seal_with_nonce(std::string_view key, std::string_view nonce, std::string_view associated,
                            std::string_view plain) {
  const Cipher cipher = begin(key, nonce, true);
  std::string sealed(nonce);
  sealed.resize(kNonceBytes + plain.size() + kTagBytes);
  update(cipher, nullptr, associated);
  update(cipher, bytes(sealed) + kNonceBytes, plain);
  int length = 0;
  unsigned char* tag = bytes(sealed) + kNonceBytes + plain.size();
  check(EVP_CipherFinal_ex(cipher.get(), tag, &length) == 1, "EVP_CipherFinal_ex");
  check(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag) == 1, "EVP_CTRL_GCM_GET_TAG");
  return sealed;
}

std::optional<std::string> unseal(std::string_view key, std::string_view associated, std::string_view sealed) {
  if (sealed.size() < kNonceBytes + kTagBytes) return std::nullopt;
  const Cipher cipher = begin(key, sealed.substr(0, kNonceBytes), false);
  std::string plain(sealed.size() - kNonceBytes - kTagBytes, '\0');
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  update(cipher, nullptr, associated);
  update(cipher, bytes(plain), sealed.substr(kNonceBytes, plain.size()));
  check(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1, "EVP_CTRL_GCM_SET_TAG");
  std::array<unsigned char, kTagBytes> rest;
  int length = 0;
  if (EVP_CipherFinal_ex(cipher.get(), rest.data(), &length) != 1) return std::nullopt;
  return plain;
}

std::string join_unambiguously(std::initializer_list<std::string_view> parts) {
  std::string joined;
  for (const std::string_view part : parts) {
    for (int shift = 56; shift >= 0; shift -= 8)
      joined += static_cast<char>((static_cast<std::uint64_t>(part.size()) >> shift) & 0xFF);
    joined += part;
  }
  return joined;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(16 * high + low);
  }
  return decoded;
}

std::string to_base64url(std::string_view bytes) {
  std::string text;
  std::uint32_t held = 0;
  int bits = 0;
  for (const unsigned char byte : bytes) {
    held = (held << 8 | byte) & 0xFFFF;
    for (bits += 8; bits >= 6; bits -= 6) text += kBase64url[(held >> (bits - 6)) & 63];
  }
  if (bits > 0) text += kBase64url[(held << (6 - bits)) & 63];
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string decoded;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t value = kBase64url.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    held = (held << 6 | static_cast<std::uint32_t>(value)) & 0xFFFF;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      decoded += static_cast<char>((held >> bits) & 0xFF);
    }
  }
  // Six bits are no byte, and what is left over must be zeros: one text for every value.
  if (bits == 6 || (held & ((1u << bits) - 1)) != 0) return std::nullopt;
  return decoded;
}

}  // namespace entune
