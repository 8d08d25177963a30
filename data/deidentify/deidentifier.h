#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/deidentify/policy.h"
#include "data/deidentify/secret_key.h"
#include "data/entity.h"

namespace entune {

/// What became of one span.
struct DeidentifiedSpan {
  Entity original;  ///< in the document as it was, with the policy's widening and union (covered_spans.h)
  Entity written;   ///< in the new text, with the same label; empty if redacted
  OperatorKind done = OperatorKind::replace;
  bool by_default = false;  ///< the label's operator did not recognize the value

  friend bool operator==(const DeidentifiedSpan&, const DeidentifiedSpan&) = default;
};

struct DeidentifiedDocument {
  std::string id;
  std::string text;
  std::vector<DeidentifiedSpan> spans;  ///< in the text's order, apart
  std::int64_t surrogates_drawn_again = 0;
  std::string policy = {};  ///< Deidentifier::fingerprint()
};

/// Replaces values as a policy says. All text outside of the covered spans stays as it is.
class Deidentifier {
 public:
  /// `key` must be there if an operator of the policy is keyed, else std::logic_error.
  Deidentifier(DeidentificationPolicy policy, std::optional<SecretKey> key);

  const DeidentificationPolicy& policy() const { return policy_; }
  /// Tells whether two results are of the same policy and key: 16 hexadecimal digits, with a key by HMAC under one
  /// derived from it.
  const std::string& fingerprint() const { return fingerprint_; }

  /// Throws InputError if the text is not UTF-8, a span is not within it, or a label is no plain name (shown_name.h).
  DeidentifiedDocument apply(const Example& document) const;

 private:
  class Replacements;  // of one document

  DeidentificationPolicy policy_;
  std::string hash_key_, encryption_key_, surrogate_key_, date_key_, fingerprint_;
};

/// The offset of a document's dates, by HMAC of its id: in [-365, 365], never 0.
std::int64_t date_offset(std::string_view date_key, std::string_view document_id);

/// A span of a de-identified text.
struct WrittenSpan {
  Entity span;
  std::string done;  ///< the operator's name
};

struct ReidentifiedDocument {
  std::string text;
  std::vector<WrittenSpan> spans;  ///< `done` is empty where the value is back
};

/// Puts encrypted values back. An encrypted value stands in the text as <LABEL:...>, base64url of what seal() gives; it
/// is bound to the document's id and the label, not to its place: values of one label in a document can change places
/// unnoticed. Only what the spans say is encrypted is touched: text that looks the
/// same stays. Throws InputError with the span's number, label and offset if a span is not within the text, overlaps
/// another or is not what was encrypted with this key for this document.
ReidentifiedDocument reidentify(const std::string& id, const std::string& text, std::vector<WrittenSpan> spans,
                                const SecretKey& key);

}  // namespace entune
