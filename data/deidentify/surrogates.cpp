#include "data/deidentify/surrogates.h"

#include <algorithm>
#include <cctype>

#include "data/deidentify/cryptography.h"
#include "data/deidentify/surrogate_forms.h"

namespace entune {
namespace {

constexpr int kMaxDraws = 64;
constexpr std::string_view kSpace = " \t\r\n\f\v";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// A code's letters and digits, and all that is not ASCII.
std::string without_separators(const std::string& folded) {
  std::string kept;
  std::copy_if(folded.begin(), folded.end(), std::back_inserter(kept),
               [](unsigned char c) { return c >= 0x80 || std::isalnum(c) != 0; });
  return kept;
}

Random seeded(const std::string& digest) {
  std::uint64_t seed = 0;
  for (std::size_t i = 0; i < 8; ++i) seed = seed << 8 | static_cast<unsigned char>(digest[i]);
  return Random(seed);
}

}  // namespace

std::string folded_value(std::string_view value) {
  std::string folded(trimmed(value));
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

DocumentSurrogates::DocumentSurrogates(std::string key, PseudonymScope scope, const std::string& document_id,
                                       const std::vector<std::string_view>& values)
    : key_(std::move(key)), document_(scope == PseudonymScope::document ? document_id : ""), scope_(scope) {
  for (const std::string_view value : values) {
    const std::string folded = folded_value(value);
    real_.insert(without_separators(folded));
    real_.insert(folded);
  }
}

std::optional<std::string> DocumentSurrogates::of(const std::string& label, std::string_view value) {
  const std::string kind = surrogate_kind(label);
  const std::string_view inner = trimmed(value);
  const std::string folded = folded_value(value);
  const std::string same = is_code(kind) ? without_separators(folded) : folded;
  const auto draw = [&](int number) {
    const PartRandom random = [&](std::string_view part) {
      const std::string_view scope = scope_ == PseudonymScope::document ? "document" : "dataset";
      return seeded(
          hmac_sha256(key_, join_unambiguously({scope, document_, kind, is_code(kind) ? same : folded_value(part),
                                                std::to_string(number)})));
    };
    return surrogate_form(kind, std::string(inner), random);
  };
  const auto in_its_place = [&](const std::string& surrogate) {
    std::string placed(value);
    return placed.replace(static_cast<std::size_t>(inner.data() - value.data()), inner.size(), surrogate);
  };
  const auto key = std::pair(kind, same);
  if (const auto known = accepted_.find(key); known != accepted_.end()) {
    const std::optional<std::string> surrogate = known->second < 0 ? std::nullopt : draw(known->second);
    return surrogate ? std::optional(in_its_place(*surrogate)) : std::nullopt;
  }
  for (int number = 0; number < kMaxDraws && !inner.empty(); ++number) {
    const std::optional<std::string> surrogate = draw(number);
    if (!surrogate) break;
    const std::string folded_surrogate = folded_value(*surrogate);
    const std::string drawn = is_code(kind) ? without_separators(folded_surrogate) : folded_surrogate;
    if (drawn.find(same) != std::string::npos || real_.contains(drawn) ||
        shares_a_word(kind, std::string(inner), *surrogate))
      continue;
    const auto [holder, is_free] = of_.emplace(std::pair(kind, drawn), same);
    if (!is_free && scope_ == PseudonymScope::document) continue;
    accepted_[key] = number;
    if (number > 0) ++num_drawn_again_;
    return in_its_place(*surrogate);
  }
  accepted_[key] = -1;
  return std::nullopt;
}

}  // namespace entune
