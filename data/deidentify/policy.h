#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/deidentify/secret_key.h"

namespace entune {

/// What is done with a found value. Those up to `surrogate` leave nothing of it; the later ones leave a part on
/// purpose, and hand what they do not recognize to the policy's default.
enum class OperatorKind {
  replace,     ///< a fixed text, <LABEL> by default
  redact,      ///< nothing
  mask,        ///< a character for each of its own
  hash,        ///< HMAC-SHA-256, hexadecimal
  encrypt,     ///< AES-256-GCM; reidentify() gives the value back
  surrogate,   ///< a made-up value of the same form (surrogates.h)
  date_shift,  ///< the date moved by the document's offset (dates.h)
  year_only,   ///< the date's year
  age,         ///< over 89: 90+ (ages_and_zip_codes.h)
  zip,         ///< the first three digits of a ZIP code
  keep,        ///< the value as it is
};

struct Operator {
  OperatorKind kind = OperatorKind::replace;
  std::optional<std::string> value = {};  ///< of replace
  bool numbered = false;                  ///< of replace: <PERSON_1>, the same value with the same number in a document
  std::string character = "*";            ///< of mask: one code point
  std::optional<std::int64_t> count = {};  ///< of mask: so many code points; all if not given
  bool from_end = false;                   ///< of mask: the last ones
  std::int64_t length = 64;                ///< of hash: hexadecimal digits, 8 to 64
  bool day_first = false;                  ///< of date_shift: 3/4/2024 is the third of April
  std::optional<std::int64_t> oldest_year =
      {};  ///< of year_only: earlier years, which tell an age over 89, are not kept

  friend bool operator==(const Operator&, const Operator&) = default;
};

/// How far a value keeps its surrogate and its hash.
enum class PseudonymScope { document, dataset };

struct DeidentificationPolicy {
  std::map<std::string, Operator> labels;
  Operator fallback;  ///< of labels not named, and of values that their operator does not recognize; removes all
  PseudonymScope scope = PseudonymScope::document;
  bool snap_to_words = true;  ///< a span that ends inside a word takes in the whole word
  std::optional<KeySource> key;
  std::string sha256;  ///< of the policy's file, hexadecimal

  const Operator& of(const std::string& label) const {
    const auto found = labels.find(label);
    return found == labels.end() ? fallback : found->second;
  }
};

/// The operators by the names that policies and audits use, in the order of OperatorKind.
const std::vector<std::string>& operator_names();
const std::string& name_of(OperatorKind kind);
/// Whether the operator needs a key.
bool is_keyed(OperatorKind kind);
/// Whether the policy has such an operator, for a label or by default.
bool uses(const DeidentificationPolicy& policy, OperatorKind kind);
/// Whether one of its operators needs a key.
bool needs_key(const DeidentificationPolicy& policy);
/// Whether nothing of any value is left.
bool removes_all(const Operator& what);

}  // namespace entune
