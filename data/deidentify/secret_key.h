#pragma once

#include <string>
#include <string_view>

namespace entune {

/// Where a policy says that its key lies: exactly one of the two.
struct KeySource {
  std::string file;
  std::string environment;  ///< name of a variable
  std::string where;        ///< "policy.yaml:3:6", for messages
};

/// The key that every keyed operator's own is derived from.
class SecretKey {
 public:
  /// `bytes`: at least 32.
  explicit SecretKey(std::string_view bytes) : bytes_(bytes) {}

  /// 32 bytes that are this purpose's alone: HMAC-SHA-256(key, purpose).
  std::string derive(std::string_view purpose) const;

 private:
  std::string bytes_;
};

/// A file or a variable holds the key in hexadecimal or base64 (either alphabet; white space around it does not count),
/// a file also as raw bytes. It must come to at least 32 bytes. Text that is neither is refused, and hexadecimal
/// with a digit missing; a passphrase should not stand here, though one of base64's letters alone cannot be told from a
/// key. So is a file refused that others than its owner may read or write. Throws InputError, without a byte of the key
/// or what names it: a key may stand there by mistake.
SecretKey read_secret_key(const KeySource& source);

}  // namespace entune
