#include "data/deidentify/covered_spans.h"

#include <algorithm>
#include <tuple>

#include "data/formats/word_splitter.h"

namespace entune {
namespace {

void widen(Entity& span, const std::vector<Word>& words) {
  const auto ends_after = [&](std::int64_t position) {
    return std::partition_point(words.begin(), words.end(), [&](const Word& word) { return word.end <= position; });
  };
  if (const auto first = ends_after(span.start); first != words.end() && first->start < span.start)
    span.start = first->start;
  if (const auto last = ends_after(span.end - 1); last != words.end() && last->start < span.end)
    span.end = std::max(span.end, last->end);
}

int remains(const Operator& what) { return removes_all(what) ? 0 : what.kind == OperatorKind::keep ? 2 : 1; }

}  // namespace

std::vector<Entity> covered_spans(std::string_view text, const std::vector<Entity>& entities,
                                  const DeidentificationPolicy& policy) {
  std::vector<Entity> spans = entities;
  if (policy.snap_to_words && !spans.empty()) {
    const std::vector<Word> words = split_words(text);
    for (Entity& span : spans) widen(span, words);
  }
  std::sort(spans.begin(), spans.end());
  const auto rank = [&](const Entity& span) {
    return std::tuple(remains(policy.of(span.label)), span.start - span.end, span.start);
  };
  std::vector<Entity> covered;
  Entity chosen;  // of those that the last one is made of
  for (const Entity& span : spans) {
    if (covered.empty() || span.start >= covered.back().end) {
      covered.push_back(span);
      chosen = span;
      continue;
    }
    covered.back().end = std::max(covered.back().end, span.end);
    if (rank(span) < rank(chosen)) chosen = span;
    covered.back().label = chosen.label;
  }
  return covered;
}

}  // namespace entune
