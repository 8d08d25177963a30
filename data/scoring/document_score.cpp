#include "data/scoring/document_score.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "data/scoring/canonical_spans.h"
#include "data/shown_name.h"

namespace entune {
namespace {

using Value = std::pair<std::string, std::u32string>;  // label, trimmed text

std::u32string surface(std::u32string_view text, const Entity& entity) {
  const auto start = std::min(static_cast<std::size_t>(entity.start), text.size());
  return std::u32string(text.substr(start, static_cast<std::size_t>(entity.end) - start));
}

std::vector<Value> values_of(const ParsedAnswer& answer) {
  std::vector<Value> values;
  for (const Mention& mention : answer.mentions) {
    values.emplace_back(mention.label, trimmed(code_points_of(mention.value)));
  }
  return values;
}

std::vector<Value> values_of(std::u32string_view text, const std::vector<Entity>& entities) {
  std::vector<Value> values;
  for (const Entity& entity : canonical_spans(text, entities).entities) {
    values.emplace_back(entity.label, surface(text, entity));
  }
  return values;
}

LabelCounts count_values(const std::vector<Value>& gold, const std::vector<Value>& predicted) {
  const std::set<Value> truth(gold.begin(), gold.end());
  const std::set<Value> answer(predicted.begin(), predicted.end());
  std::vector<Value> common;
  std::set_intersection(truth.begin(), truth.end(), answer.begin(), answer.end(), std::back_inserter(common));
  return {.support = static_cast<std::int64_t>(truth.size()),
          .predicted = static_cast<std::int64_t>(answer.size()),
          .correct = static_cast<std::int64_t>(common.size())};
}

/// Gold entities that the reading misses while a mention with their label and value stands at a place that is not gold.
/// One mention explains one miss.
std::int64_t count_offset_wrong(std::u32string_view text, const std::vector<Entity>& gold,
                                const std::vector<Value>& values, const std::vector<std::optional<Entity>>& places) {
  const std::set<Entity> truth(gold.begin(), gold.end());
  std::set<Entity> found;
  std::map<Value, std::int64_t> misplaced;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::vector<Entity> place;
    if (places[i]) place = canonical_spans(text, {*places[i]}).entities;
    if (!place.empty() && truth.contains(place.front())) {
      found.insert(place.front());
    } else {
      ++misplaced[values[i]];
    }
  }
  std::int64_t count = 0;
  for (const Entity& entity : truth) {
    if (found.contains(entity)) continue;
    const auto mention = misplaced.find({entity.label, surface(text, entity)});
    if (mention == misplaced.end() || mention->second == 0) continue;
    --mention->second;
    ++count;
  }
  return count;
}

SpanCounts score_reading(const Example& gold, const ParsedAnswer& answer, const std::vector<Value>& values,
                         std::optional<Entity> Mention::*reading) {
  std::vector<Entity> placed;
  std::vector<std::optional<Entity>> places;
  std::set<Value> unplaced;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<Entity>& place = answer.mentions[i].*reading;
    places.push_back(place);
    if (place) {
      placed.push_back(*place);
    } else {
      unplaced.insert(values[i]);
    }
  }
  std::vector<std::string> unplaced_labels;
  for (const auto& [label, value] : unplaced) unplaced_labels.push_back(label);

  SpanCounts counts = score_spans(gold, placed, unplaced_labels);
  const std::u32string text = code_points_of(gold.text);
  counts.errors.offset_wrong_value_right =
      count_offset_wrong(text, canonical_spans(text, gold.entities).entities, values, places);
  return counts;
}

}  // namespace

DocumentScore score_document(const Example& gold, const ParsedAnswer& answer, bool hit_max_tokens) {
  const std::u32string text = code_points_of(gold.text);
  const std::vector<Value> values = values_of(answer);
  DocumentScore score{.id = gold.id,
                      .group = stored_name(gold.group),
                      .raw = score_reading(gold, answer, values, &Mention::raw),
                      .repaired = score_reading(gold, answer, values, &Mention::repaired),
                      .values = count_values(values_of(text, gold.entities), values),
                      .health = {}};
  HealthCounts& health = score.health;
  health.answers = 1;
  health.parsed = answer.fault(AnswerFault::unparsable) == 0;
  health.well_formed = answer.well_formed();
  health.copy_exact = answer.fault(AnswerFault::copy_differs) == 0 && answer.fault(AnswerFault::not_in_text) == 0;
  health.hit_max_tokens = hit_max_tokens;
  health.copy_edits = answer.copy.edits;
  health.copy_length = answer.copy.length;
  health.fault_counts = answer.faults;
  for (std::size_t i = 0; i < kNumAnswerFaults; ++i) health.fault_documents[i] = answer.faults[i] > 0;
  return score;
}

DocumentScore score_document(const Example& gold, const std::vector<Entity>& predicted) {
  const std::u32string text = code_points_of(gold.text);
  const SpanCounts counts = score_spans(gold, predicted);
  return {.id = gold.id,
          .group = stored_name(gold.group),
          .raw = counts,
          .repaired = counts,
          .values = count_values(values_of(text, gold.entities), values_of(text, predicted)),
          .health = {}};
}

HealthCounts& HealthCounts::operator+=(const HealthCounts& other) {
  answers += other.answers;
  parsed += other.parsed;
  well_formed += other.well_formed;
  copy_exact += other.copy_exact;
  hit_max_tokens += other.hit_max_tokens;
  copy_edits += other.copy_edits;
  copy_length += other.copy_length;
  for (std::size_t i = 0; i < kNumAnswerFaults; ++i) {
    fault_documents[i] += other.fault_documents[i];
    fault_counts[i] += other.fault_counts[i];
  }
  return *this;
}

std::vector<std::vector<const DocumentScore*>> group_documents(const std::vector<DocumentScore>& documents) {
  // A document without a group is keyed by its id, apart from groups that happen to have that name.
  std::map<std::pair<bool, std::string>, std::vector<const DocumentScore*>> by_key;
  for (const DocumentScore& document : documents) {
    const bool alone = document.group.empty();
    by_key[{alone, alone ? document.id : document.group}].push_back(&document);
  }
  std::vector<std::vector<const DocumentScore*>> groups;
  for (auto& [key, members] : by_key) groups.push_back(std::move(members));
  return groups;
}

}  // namespace entune
