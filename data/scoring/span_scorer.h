#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"
#include "data/scoring/bootstrap.h"

namespace entune {

/// What must agree for a gold and a predicted entity to count as the same (SemEval-2013 task 9.1, after MUC):
/// strict: span and label; exact: span; partial: overlap, half a point for another span; type: overlap and label.
enum class Scheme { strict, exact, partial, type };
inline constexpr std::size_t kNumSchemes = 4;
inline constexpr std::array<Scheme, kNumSchemes> kSchemes = {Scheme::strict, Scheme::exact, Scheme::partial,
                                                             Scheme::type};
std::string_view name_of(Scheme scheme);

/// Counts of one scheme. Counts of documents are added to pool them.
struct SchemeCounts {
  std::int64_t correct = 0;
  std::int64_t incorrect = 0;  ///< a matched pair that disagrees
  std::int64_t partial = 0;    ///< a matched pair that overlaps (scheme partial alone)
  std::int64_t missed = 0;     ///< gold without a prediction
  std::int64_t spurious = 0;   ///< prediction without gold

  std::int64_t possible() const { return correct + incorrect + partial + missed; }  ///< gold entities
  std::int64_t actual() const { return correct + incorrect + partial + spurious; }  ///< predicted entities
  std::int64_t credit_halves() const { return 2 * correct + partial; }              ///< credit in halves of a point
  SchemeCounts& operator+=(const SchemeCounts& other);
  friend bool operator==(const SchemeCounts&, const SchemeCounts&) = default;
};

/// Strict counts of one label, or of several together.
struct LabelCounts {
  std::int64_t support = 0;  ///< gold entities
  std::int64_t predicted = 0;
  std::int64_t correct = 0;

  LabelCounts& operator+=(const LabelCounts& other);
  friend bool operator==(const LabelCounts&, const LabelCounts&) = default;
};

/// How the pairs and leftovers of the matching went wrong. A strict miss is in exactly one of these.
struct ErrorCounts {
  std::int64_t boundary = 0;           ///< right label, another span that overlaps
  std::int64_t type = 0;               ///< right span, another label
  std::int64_t boundary_and_type = 0;  ///< overlap alone
  std::int64_t missed = 0;
  std::int64_t spurious = 0;
  /// Gold entities that the reading misses although the answer names their value and label. Counted across the kinds
  /// above; score_document() fills it, since it takes the answer's mentions.
  std::int64_t offset_wrong_value_right = 0;

  ErrorCounts& operator+=(const ErrorCounts& other);
  friend bool operator==(const ErrorCounts&, const ErrorCounts&) = default;
};

/// What a masking by the predicted spans would leave readable, whatever the labels. Characters are code points other
/// than white space. A surface is a distinct (label, text) of a document; it leaks if any of its mentions is not
/// covered wholly.
struct LeakCounts {
  std::int64_t gold_characters = 0;
  std::int64_t predicted_characters = 0;
  std::int64_t covered_characters = 0;  ///< gold and predicted
  std::int64_t gold_documents = 0;      ///< documents with a gold character
  std::int64_t leaking_documents = 0;   ///< of these, documents with one that is not covered
  std::int64_t gold_surfaces = 0;
  std::int64_t leaking_surfaces = 0;

  LeakCounts& operator+=(const LeakCounts& other);
  friend bool operator==(const LeakCounts&, const LeakCounts&) = default;
};

/// The same of one label's gold characters, whatever the predicted spans' labels. A character that two labels share
/// counts in both.
struct LabelLeakCounts {
  std::int64_t gold_characters = 0;
  std::int64_t covered_characters = 0;

  LabelLeakCounts& operator+=(const LabelLeakCounts& other);
  friend bool operator==(const LabelLeakCounts&, const LabelLeakCounts&) = default;
};

/// All counts of one reading of one document, or of many: they add.
struct SpanCounts {
  std::array<SchemeCounts, kNumSchemes> schemes{};
  std::map<std::string, LabelCounts> labels;  ///< labels that occur, gold or predicted
  LabelCounts trim_punct;  ///< of all labels, where edges of spans lose their punctuation too (SpanEdges::punctuation)
  ErrorCounts errors;
  LeakCounts leak;
  std::map<std::string, LabelLeakCounts> label_leaks;  ///< labels with a gold character; empty in older score files
  std::int64_t duplicates = 0;                         ///< predictions dropped because they repeat another

  const SchemeCounts& scheme(Scheme s) const { return schemes[static_cast<std::size_t>(s)]; }
  SpanCounts& operator+=(const SpanCounts& other);
  friend bool operator==(const SpanCounts&, const SpanCounts&) = default;
};

/// The strict counts of these labels together.
LabelCounts counts_over(const SpanCounts& counts, const std::vector<std::string>& labels);

/// What an F1 of these needs.
F1Counts f1_counts(const SchemeCounts& counts);
F1Counts f1_counts(const LabelCounts& counts);

/// Scores predicted spans of one document (notes on scoring: the definitions are in docs of each struct above).
/// Gold and prediction are treated alike: white space at a span's edges is trimmed, then empty spans and repetitions
/// are dropped; for `trim_punct` punctuation at the edges is trimmed as well. Strict counts are set counts on (start,
/// end, label), so nested and overlapping gold is allowed. The other schemes match one to one by overlap of at least
/// one code point, the best pairs first (match_spans), independent of the order of either list. `unplaced`: labels of
/// predictions that name no place of the text; each is spurious in every scheme and in `trim_punct`.
SpanCounts score_spans(const Example& gold, const std::vector<Entity>& predicted,
                       const std::vector<std::string>& unplaced = {});

/// Precision, recall and F1. Each is absent where its denominator is 0 (0/0): F1 = 2 credit / (possible + actual), so
/// it is 0 and not absent where there is gold and nothing was predicted.
struct Quality {
  std::optional<double> precision;
  std::optional<double> recall;
  std::optional<double> f1;
};
Quality quality(const SchemeCounts& counts);
Quality quality(const LabelCounts& counts);
/// From credit in halves of a point, gold and predicted counts.
Quality quality(std::int64_t credit_halves, std::int64_t possible, std::int64_t actual);

}  // namespace entune
