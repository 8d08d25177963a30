#include "data/deidentify/deidentifier.h"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <map>

#include "data/code_points.h"
#include "data/deidentify/ages_and_zip_codes.h"
#include "data/deidentify/covered_spans.h"
#include "data/deidentify/cryptography.h"
#include "data/deidentify/dates.h"
#include "data/deidentify/surrogates.h"
#include "data/input_error.h"
#include "data/shown_name.h"

namespace entune {
namespace {

constexpr std::string_view kEncryptionPurpose = "encrypt";

std::string associated_data(std::string_view document_id, std::string_view label) {
  return join_unambiguously({document_id, label});
}

/// `count` code points of `value` (all if not given) as `character`, the first or the last ones.
std::string masked(std::string_view value, const Operator& what) {
  const auto size = static_cast<std::int64_t>(utf8::distance(value.begin(), value.end()));
  const std::int64_t count = std::min(what.count.value_or(size), size);
  const CodePointIndex index(value);
  std::string mask;
  for (std::int64_t i = 0; i < count; ++i) mask += what.character;
  return what.from_end ? std::string(index.slice(0, size - count)) + mask
                       : mask + std::string(index.slice(count, size));
}

}  // namespace

std::int64_t date_offset(std::string_view date_key, std::string_view document_id) {
  const std::string digest = hmac_sha256(date_key, document_id);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(digest[i]);
  const auto place = static_cast<std::int64_t>(number % 730);  // of 730 offsets; the bias is 730 in 2^64
  return place < 365 ? place - 365 : place - 364;
}

/// What depends on the document: its id, its values, the numbers given so far.
class Deidentifier::Replacements {
 public:
  Replacements(const Deidentifier& owner, const Example& document, const std::vector<std::string_view>& values)
      : owner_(owner),
        document_(document),
        surrogates_(owner.surrogate_key_, owner.policy_.scope, document.id, values) {}

  std::int64_t num_drawn_again() const { return surrogates_.num_drawn_again(); }

  /// nullopt: the operator does not recognize the value. `is_given`: the value is that of a span as it was given,
  /// neither widened nor united; a mask of some characters counts from its ends, and would leave others of it
  /// otherwise.
  std::optional<std::string> of(const Operator& what, const std::string& label, std::string_view value, bool is_given) {
    switch (what.kind) {
      case OperatorKind::replace:
        return what.numbered ? numbered(label, value) : what.value ? *what.value : "<" + label + ">";
      case OperatorKind::redact:
        return "";
      case OperatorKind::mask:
        if (what.count && !is_given) return std::nullopt;
        return masked(value, what);
      case OperatorKind::hash: {
        const bool here = owner_.policy_.scope == PseudonymScope::document;
        const std::string digest =
            hmac_sha256(owner_.hash_key_,
                        join_unambiguously({here ? "document" : "dataset", here ? document_.id : "", label, value}));
        return to_hex(digest).substr(0, static_cast<std::size_t>(what.length));
      }
      case OperatorKind::encrypt:
        return fmt::format("<{}:{}>", label,
                           to_base64url(seal(owner_.encryption_key_, associated_data(document_.id, label), value)));
      case OperatorKind::surrogate:
        return surrogates_.of(label, value);
      case OperatorKind::date_shift:
        return shift_date(value, date_offset(owner_.date_key_, document_.id), what.day_first);
      case OperatorKind::year_only:
        return year_of_date(value, what.oldest_year);
      case OperatorKind::age:
        return group_age(value);
      case OperatorKind::zip:
        return cut_zip_code(value);
      case OperatorKind::keep:
        return std::string(value);
    }
    throw std::logic_error("unknown operator");
  }

 private:
  std::string numbered(const std::string& label, std::string_view value) {
    std::map<std::string, std::size_t>& numbers = numbers_[label];
    return fmt::format("<{}_{}>", label, numbers.emplace(folded_value(value), numbers.size() + 1).first->second);
  }

  const Deidentifier& owner_;
  const Example& document_;
  DocumentSurrogates surrogates_;
  std::map<std::string, std::map<std::string, std::size_t>> numbers_;  // by label and folded value
};

Deidentifier::Deidentifier(DeidentificationPolicy policy, std::optional<SecretKey> key) : policy_(std::move(policy)) {
  constexpr std::size_t kFingerprintDigits = 16;
  fingerprint_ = policy_.sha256.substr(0, kFingerprintDigits);
  if (!key) {
    if (needs_key(policy_)) throw std::logic_error("a policy with keyed operators needs a key");
    return;
  }
  fingerprint_ = to_hex(hmac_sha256(key->derive("fingerprint"), policy_.sha256)).substr(0, kFingerprintDigits);
  hash_key_ = key->derive("hash");
  encryption_key_ = key->derive(kEncryptionPurpose);
  surrogate_key_ = key->derive("surrogate");
  date_key_ = key->derive("date shift");
}

DeidentifiedDocument Deidentifier::apply(const Example& document) const {
  const CodePointIndex index(document.text);
  for (std::size_t i = 0; i < document.entities.size(); ++i) {
    const Entity& entity = document.entities[i];
    if (entity.start < 0 || entity.start >= entity.end || entity.end > index.size()) {
      throw InputError(fmt::format("entity {} ({}, [{}, {})): expected 0 <= start < end <= {}, found another range",
                                   i + 1, shown_name(entity.label), entity.start, entity.end, index.size()));
    }
    // It is written into the text and the audit.
    if (shown_name(entity.label) != entity.label) {
      throw InputError(fmt::format(
          "entity {} ([{}, {})): expected a label of ASCII letters, digits and _ . -, found another; rename it", i + 1,
          entity.start, entity.end));
    }
  }
  const std::vector<Entity> spans = covered_spans(document.text, document.entities, policy_);
  std::vector<std::string_view> values;
  for (const Entity& span : spans) values.push_back(index.slice(span.start, span.end));
  for (const Entity& entity : document.entities) values.push_back(index.slice(entity.start, entity.end));

  Replacements replacements(*this, document, values);
  DeidentifiedDocument result{.id = document.id, .text = {}, .spans = {}, .policy = fingerprint_};
  std::int64_t copied = 0;   // of the original
  std::int64_t written = 0;  // of the new text, in code points
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const Entity& span = spans[i];
    const Operator& asked = policy_.of(span.label);
    DeidentifiedSpan done{.original = span, .written = {0, 0, span.label}, .done = asked.kind};
    const bool is_given = std::ranges::find(document.entities, span) != document.entities.end();
    std::optional<std::string> replacement = replacements.of(asked, span.label, values[i], is_given);
    for (const Operator& next : {policy_.fallback, Operator{}}) {
      if (replacement) break;
      done.done = next.kind;
      done.by_default = true;
      replacement = replacements.of(next, span.label, values[i], is_given);
    }
    result.text += index.slice(copied, span.start);
    result.text += *replacement;
    done.written.start = written + span.start - copied;
    done.written.end = done.written.start + utf8::distance(replacement->begin(), replacement->end());
    written = done.written.end;
    copied = span.end;
    result.spans.push_back(std::move(done));
  }
  result.text += index.slice(copied, index.size());
  result.surrogates_drawn_again = replacements.num_drawn_again();
  return result;
}

ReidentifiedDocument reidentify(const std::string& id, const std::string& text, std::vector<WrittenSpan> spans,
                                const SecretKey& key) {
  const std::string encryption_key = key.derive(kEncryptionPurpose);
  const CodePointIndex index(text);
  std::sort(spans.begin(), spans.end(), [](const WrittenSpan& a, const WrittenSpan& b) { return a.span < b.span; });
  ReidentifiedDocument result;
  std::int64_t copied = 0, written = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const Entity& span = spans[i].span;
    const auto refuse = [&](const std::string& why) {
      throw InputError(
          fmt::format("entity {} ({}, [{}, {})): {}", i + 1, shown_name(span.label), span.start, span.end, why));
    };
    if (span.start < copied || span.start > span.end || span.end > index.size())
      refuse(fmt::format("expected a range from {} to {} at most, found another", copied, index.size()));
    std::string value(index.slice(span.start, span.end));
    const bool restores = spans[i].done == name_of(OperatorKind::encrypt);
    if (restores) {
      const std::string start = "<" + span.label + ":";
      if (!value.starts_with(start) || !value.ends_with('>') || value.size() <= start.size())
        refuse("expected an encrypted value <LABEL:...>, found other text; the text or its offsets were changed");
      const std::optional<std::string> sealed =
          from_base64url(std::string_view(value).substr(start.size(), value.size() - start.size() - 1));
      const std::optional<std::string> plain =
          sealed ? unseal(encryption_key, associated_data(id, span.label), *sealed) : std::nullopt;
      if (!plain) {
        refuse(
            "cannot be decrypted: the key, the document's id, the label or the text is not that of the "
            "de-identification");
      }
      value = *plain;
    }
    result.text += index.slice(copied, span.start);
    result.text += value;
    const std::int64_t begin = written + span.start - copied;
    written = begin + utf8::distance(value.begin(), value.end());
    copied = span.end;
    result.spans.push_back({{begin, written, span.label}, restores ? "" : spans[i].done});
  }
  result.text += index.slice(copied, index.size());
  return result;
}

}  // namespace entune
