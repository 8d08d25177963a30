#pragma once

#include <cstddef>
#include <vector>

#include "data/entity.h"

namespace entune {

/// A gold and a predicted span that belong together, by index.
struct SpanPair {
  std::size_t gold = 0;
  std::size_t predicted = 0;

  friend bool operator==(const SpanPair&, const SpanPair&) = default;
};

/// Pairs spans that share at least one code point, each at most once. The best pairs are taken first: same span and
/// label, same span, same label, larger intersection over union, then earlier gold and earlier prediction. So identical
/// pairs are never given away (the strict pairs are the intersection of the two sets), and as both lists are canonical
/// (sorted, distinct), the order in which a model names its entities has no effect.
std::vector<SpanPair> match_spans(const std::vector<Entity>& gold, const std::vector<Entity>& predicted);

}  // namespace entune
