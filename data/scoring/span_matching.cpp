#include "data/scoring/span_matching.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

namespace entune {
namespace {

struct Candidate {
  SpanPair pair;
  bool same_span = false;
  bool same_label = false;
  double intersection_over_union = 0.0;
  std::int64_t gold_start = 0;
  std::int64_t predicted_start = 0;

  // Smaller is better.
  auto rank() const {
    return std::tuple(!same_span, !same_label, -intersection_over_union, gold_start, predicted_start, pair.gold,
                      pair.predicted);
  }
};

}  // namespace

std::vector<SpanPair> match_spans(const std::vector<Entity>& gold, const std::vector<Entity>& predicted) {
  std::vector<Candidate> candidates;
  for (std::size_t g = 0; g < gold.size(); ++g) {
    for (std::size_t p = 0; p < predicted.size(); ++p) {
      const std::int64_t common = std::min(gold[g].end, predicted[p].end) - std::max(gold[g].start, predicted[p].start);
      if (common < 1) continue;
      const std::int64_t whole = std::max(gold[g].end, predicted[p].end) - std::min(gold[g].start, predicted[p].start);
      candidates.push_back({.pair = {g, p},
                            .same_span = common == whole,
                            .same_label = gold[g].label == predicted[p].label,
                            .intersection_over_union = static_cast<double>(common) / static_cast<double>(whole),
                            .gold_start = gold[g].start,
                            .predicted_start = predicted[p].start});
    }
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.rank() < b.rank(); });

  std::vector<bool> gold_taken(gold.size()), predicted_taken(predicted.size());
  std::vector<SpanPair> pairs;
  for (const Candidate& candidate : candidates) {
    const auto [g, p] = candidate.pair;
    if (gold_taken[g] || predicted_taken[p]) continue;
    gold_taken[g] = predicted_taken[p] = true;
    pairs.push_back(candidate.pair);
  }
  return pairs;
}

}  // namespace entune
