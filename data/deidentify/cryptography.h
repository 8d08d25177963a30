#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace entune {

/// What de-identification takes from OpenSSL. Keys, digests and ciphertexts are bytes in a std::string. A failure
/// inside OpenSSL is a std::runtime_error.

inline constexpr std::size_t kKeyBytes = 32;  ///< of AES-256 and of every key derived here

/// HMAC-SHA-256 (RFC 2104): 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view message);
/// SHA-256: 32 bytes.
std::string sha256(std::string_view message);
/// From the system's cryptographic generator.
std::string random_bytes(std::size_t count);

/// AES-256-GCM: nonce (12 bytes), ciphertext, tag (16 bytes), one behind the other. Draws a fresh nonce each time; by
/// NIST SP 800-38D a key may serve for 2^32 values of random nonces. `associated` is authenticated, not stored.
std::string seal(std::string_view key, std::string_view associated, std::string_view plain);
/// The same with a nonce of the caller's, which must never serve twice under one key.
std::string seal_with_nonce(std::string_view key, std::string_view nonce, std::string_view associated,
                            std::string_view plain);
/// What was sealed, or nullopt if key, associated data or any byte differs.
std::optional<std::string> unseal(std::string_view key, std::string_view associated, std::string_view sealed);

/// The parts one behind the other, each behind its length (8 bytes, big-endian): no two lists of parts give the same.
std::string join_unambiguously(std::initializer_list<std::string_view> parts);

std::string to_hex(std::string_view bytes);  ///< lower case
/// nullopt for anything but an even number of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view text);
/// RFC 4648, section 5, without padding.
std::string to_base64url(std::string_view bytes);
/// nullopt for anything that to_base64url does not give.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace entune
