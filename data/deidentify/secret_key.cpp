#include "data/deidentify/secret_key.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "data/deidentify/cryptography.h"
#include "data/input_error.h"

namespace entune {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;
constexpr std::string_view kHowToMake = "openssl rand -hex 32 makes one";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool is_text(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](unsigned char c) { return (c >= 0x20 && c < 0x7F) || c == '\t' || c == '\r' || c == '\n'; });
}

std::optional<std::string> decoded(std::string_view text) {
  if (std::optional<std::string> hex = from_hex(text)) return hex;
  if (text.find_first_not_of("0123456789abcdefABCDEF") == text.npos) return std::nullopt;  // a digit is missing
  std::string base64(text);
  std::replace(base64.begin(), base64.end(), '+', '-');
  std::replace(base64.begin(), base64.end(), '/', '_');
  for (int i = 0; i < 2 && base64.ends_with('='); ++i) base64.pop_back();
  return from_base64url(base64);
}

std::string contents_of(const KeySource& source) {
  const auto refuse = [&](const std::string& why) {
    throw InputError(fmt::format("{}: key file: {}", source.where, why));  // what stands for a name may be the key
  };
  struct stat status;
  if (stat(source.file.c_str(), &status) != 0) refuse("expected a file, found none");
  if (!S_ISREG(status.st_mode)) refuse("expected a file, found something else");
  if ((status.st_mode & 077) != 0) {
    refuse(fmt::format("expected a file that its owner alone may read, found mode {:04o}; chmod 600 it",
                       status.st_mode & 07777));
  }
  std::ifstream stream(source.file, std::ios::binary);
  std::string contents(kMaxFileBytes + 1, '\0');
  stream.read(contents.data(), static_cast<std::streamsize>(contents.size()));
  if (stream.bad() || !stream.is_open()) refuse("cannot be read");
  contents.resize(static_cast<std::size_t>(stream.gcount()));
  if (contents.size() > kMaxFileBytes) refuse(fmt::format("expected at most {} bytes, found more", kMaxFileBytes));
  return contents;
}

/// A variable's name, unless it could be a key that was put there by mistake.
std::string shown_variable(const std::string& name) {
  const bool is_name = name.size() < kKeyBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  return is_name ? name : "variable of that name";
}

std::string contents_of_variable(const KeySource& source) {
  const char* const value = std::getenv(source.environment.c_str());
  if (value == nullptr || *value == '\0') {
    throw InputError(fmt::format("{}: expected the key in the environment's {}, found nothing; {}", source.where,
                                 shown_variable(source.environment), kHowToMake));
  }
  return value;
}

}  // namespace

std::string SecretKey::derive(std::string_view purpose) const {
  return hmac_sha256(bytes_, join_unambiguously({"entune deidentify 1", purpose}));
}

SecretKey read_secret_key(const KeySource& source) {
  const bool in_file = !source.file.empty();
  std::string bytes = in_file ? contents_of(source) : contents_of_variable(source);
  const std::string what =
      in_file ? "key file" : "key in the environment";
  if (is_text(bytes)) {
    std::optional<std::string> key = decoded(trimmed(bytes));
    if (!key) {
      throw InputError(fmt::format("{}: {}: expected hexadecimal or base64{}, found other text; {}", source.where, what,
                                   in_file ? " or raw bytes" : "", kHowToMake));
    }
    bytes = std::move(*key);
  } else if (!in_file) {
    throw InputError(
        fmt::format("{}: {}: expected hexadecimal or base64, found other bytes; {}", source.where, what, kHowToMake));
  }
  if (bytes.size() < kKeyBytes) {
    throw InputError(fmt::format("{}: {}: expected a key of at least {} bytes, found {}; {}", source.where, what,
                                 kKeyBytes, bytes.size(), kHowToMake));
  }
  return SecretKey(bytes);
}

}  // namespace entune
