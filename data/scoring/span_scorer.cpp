#include "data/scoring/span_scorer.h"

#include <algorithm>
#include <utility>

#include "data/formats/word_splitter.h"
#include "data/scoring/canonical_spans.h"
#include "data/scoring/span_matching.h"

namespace entune {
namespace {

/// Which code points of the text some span covers, white space left out.
std::vector<bool> covered(std::u32string_view text, const std::vector<Entity>& entities) {
  std::vector<bool> mask(text.size());
  for (const Entity& entity : entities) {
    const auto end = std::min(static_cast<std::size_t>(entity.end), text.size());
    for (auto i = static_cast<std::size_t>(entity.start); i < end; ++i) mask[i] = !is_white_space(text[i]);
  }
  return mask;
}

LeakCounts count_leak(std::u32string_view text, const std::vector<Entity>& gold, const std::vector<Entity>& predicted) {
  const std::vector<bool> is_gold = covered(text, gold);
  const std::vector<bool> is_masked = covered(text, predicted);
  LeakCounts leak;
  for (std::size_t i = 0; i < text.size(); ++i) {
    leak.gold_characters += is_gold[i];
    leak.predicted_characters += is_masked[i];
    leak.covered_characters += is_gold[i] && is_masked[i];
  }
  leak.gold_documents = leak.gold_characters > 0;
  leak.leaking_documents = leak.covered_characters < leak.gold_characters;

  std::map<std::pair<std::string_view, std::u32string_view>, bool> leaks;
  for (const Entity& entity : gold) {
    const auto start = static_cast<std::size_t>(entity.start);
    const auto end = std::min(static_cast<std::size_t>(entity.end), text.size());
    bool& surface_leaks = leaks[{entity.label, text.substr(start, end - start)}];
    for (std::size_t i = start; i < end; ++i) surface_leaks = surface_leaks || (is_gold[i] && !is_masked[i]);
  }
  leak.gold_surfaces = static_cast<std::int64_t>(leaks.size());
  leak.leaking_surfaces = std::count_if(leaks.begin(), leaks.end(), [](const auto& entry) { return entry.second; });
  return leak;
}

std::map<std::string, LabelLeakCounts> count_label_leaks(std::u32string_view text, const std::vector<Entity>& gold,
                                                         const std::vector<Entity>& predicted) {
  const std::vector<bool> is_masked = covered(text, predicted);
  std::map<std::string, std::vector<Entity>> by_label;
  for (const Entity& entity : gold) by_label[entity.label].push_back(entity);
  std::map<std::string, LabelLeakCounts> leaks;
  for (const auto& [label, entities] : by_label) {
    const std::vector<bool> is_gold = covered(text, entities);
    LabelLeakCounts leak;
    for (std::size_t i = 0; i < text.size(); ++i) {
      leak.gold_characters += is_gold[i];
      leak.covered_characters += is_gold[i] && is_masked[i];
    }
    if (leak.gold_characters > 0) leaks[label] = leak;
  }
  return leaks;
}

/// The spans of one document in the form in which they are compared, and which belong together.
struct Comparison {
  CanonicalSpans gold, predicted;
  std::vector<SpanPair> pairs;
};

Comparison compare(std::u32string_view text, const std::vector<Entity>& gold, const std::vector<Entity>& predicted,
                   SpanEdges edges) {
  Comparison result{canonical_spans(text, gold, edges), canonical_spans(text, predicted, edges), {}};
  result.pairs = match_spans(result.gold.entities, result.predicted.entities);
  return result;
}

std::map<std::string, LabelCounts> count_labels(const Comparison& spans, const std::vector<std::string>& unplaced) {
  std::map<std::string, LabelCounts> labels;
  for (const Entity& entity : spans.gold.entities) ++labels[entity.label].support;
  for (const Entity& entity : spans.predicted.entities) ++labels[entity.label].predicted;
  for (const std::string& label : unplaced) ++labels[label].predicted;
  for (const SpanPair& pair : spans.pairs) {
    const Entity& entity = spans.gold.entities[pair.gold];
    if (entity == spans.predicted.entities[pair.predicted]) ++labels[entity.label].correct;
  }
  return labels;
}

/// The table of SemEval-2013 9.1 for a matched pair.
void count_pair(const Entity& gold, const Entity& predicted, SpanCounts& counts) {
  const bool same_span = gold.start == predicted.start && gold.end == predicted.end;
  const bool same_label = gold.label == predicted.label;
  auto& [strict, exact, partial, type] = counts.schemes;
  ++(same_span && same_label ? strict.correct : strict.incorrect);
  ++(same_span ? exact.correct : exact.incorrect);
  ++(same_span ? partial.correct : partial.partial);
  ++(same_label ? type.correct : type.incorrect);
  if (same_span && same_label) return;
  if (same_label) {
    ++counts.errors.boundary;
  } else {
    ++(same_span ? counts.errors.type : counts.errors.boundary_and_type);
  }
}

}  // namespace

std::string_view name_of(Scheme scheme) {
  constexpr std::array<std::string_view, kNumSchemes> kNames = {"strict", "exact", "partial", "type"};
  return kNames[static_cast<std::size_t>(scheme)];
}

F1Counts f1_counts(const SchemeCounts& counts) { return {counts.credit_halves(), counts.possible(), counts.actual()}; }
F1Counts f1_counts(const LabelCounts& counts) { return {2 * counts.correct, counts.support, counts.predicted}; }

LabelCounts counts_over(const SpanCounts& counts, const std::vector<std::string>& labels) {
  LabelCounts sum;
  for (const std::string& label : labels) {
    const auto found = counts.labels.find(label);
    if (found != counts.labels.end()) sum += found->second;
  }
  return sum;
}

SpanCounts score_spans(const Example& gold, const std::vector<Entity>& predicted,
                       const std::vector<std::string>& unplaced) {
  const std::u32string text = code_points_of(gold.text);
  const Comparison spans = compare(text, gold.entities, predicted, SpanEdges::white_space);
  const auto& [truth, answer, pairs] = spans;

  SpanCounts counts;
  counts.duplicates = answer.num_duplicates;
  counts.labels = count_labels(spans, unplaced);
  const Comparison trimmed_spans = compare(text, gold.entities, predicted, SpanEdges::punctuation);
  for (const auto& [label, label_counts] : count_labels(trimmed_spans, unplaced)) counts.trim_punct += label_counts;
  for (const SpanPair& pair : pairs) count_pair(truth.entities[pair.gold], answer.entities[pair.predicted], counts);

  const auto missed = static_cast<std::int64_t>(truth.entities.size() - pairs.size());
  const auto spurious = static_cast<std::int64_t>(answer.entities.size() + unplaced.size() - pairs.size());
  for (SchemeCounts& scheme : counts.schemes) {
    scheme.missed = missed;
    scheme.spurious = spurious;
  }
  counts.errors.missed = missed;
  counts.errors.spurious = spurious;
  counts.leak = count_leak(text, truth.entities, answer.entities);
  counts.label_leaks = count_label_leaks(text, truth.entities, answer.entities);
  return counts;
}

SchemeCounts& SchemeCounts::operator+=(const SchemeCounts& other) {
  correct += other.correct;
  incorrect += other.incorrect;
  partial += other.partial;
  missed += other.missed;
  spurious += other.spurious;
  return *this;
}

LabelCounts& LabelCounts::operator+=(const LabelCounts& other) {
  support += other.support;
  predicted += other.predicted;
  correct += other.correct;
  return *this;
}

ErrorCounts& ErrorCounts::operator+=(const ErrorCounts& other) {
  boundary += other.boundary;
  type += other.type;
  boundary_and_type += other.boundary_and_type;
  missed += other.missed;
  spurious += other.spurious;
  offset_wrong_value_right += other.offset_wrong_value_right;
  return *this;
}

LeakCounts& LeakCounts::operator+=(const LeakCounts& other) {
  gold_characters += other.gold_characters;
  predicted_characters += other.predicted_characters;
  covered_characters += other.covered_characters;
  gold_documents += other.gold_documents;
  leaking_documents += other.leaking_documents;
  gold_surfaces += other.gold_surfaces;
  leaking_surfaces += other.leaking_surfaces;
  return *this;
}

LabelLeakCounts& LabelLeakCounts::operator+=(const LabelLeakCounts& other) {
  gold_characters += other.gold_characters;
  covered_characters += other.covered_characters;
  return *this;
}

SpanCounts& SpanCounts::operator+=(const SpanCounts& other) {
  for (std::size_t i = 0; i < kNumSchemes; ++i) schemes[i] += other.schemes[i];
  for (const auto& [label, label_counts] : other.labels) labels[label] += label_counts;
  trim_punct += other.trim_punct;
  errors += other.errors;
  leak += other.leak;
  for (const auto& [label, label_leak] : other.label_leaks) label_leaks[label] += label_leak;
  duplicates += other.duplicates;
  return *this;
}

Quality quality(std::int64_t credit_halves, std::int64_t possible, std::int64_t actual) {
  const auto ratio = [](std::int64_t numerator, std::int64_t denominator) -> std::optional<double> {
    if (denominator == 0) return std::nullopt;
    return static_cast<double>(numerator) / static_cast<double>(denominator);
  };
  return {.precision = ratio(credit_halves, 2 * actual),
          .recall = ratio(credit_halves, 2 * possible),
          .f1 = ratio(credit_halves, possible + actual)};
}

Quality quality(const SchemeCounts& counts) {
  return quality(counts.credit_halves(), counts.possible(), counts.actual());
}

Quality quality(const LabelCounts& counts) { return quality(2 * counts.correct, counts.support, counts.predicted); }

}  // namespace entune
