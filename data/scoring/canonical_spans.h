#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"

namespace entune {

/// The code points of UTF-8; bytes that are none become U+FFFD, since a model may write anything.
std::u32string code_points_of(std::string_view text);

/// `text` without white space at its ends.
std::u32string_view trimmed(std::u32string_view text);

/// What is trimmed at the edges of spans before they are compared.
enum class SpanEdges {
  white_space,  ///< white space
  punctuation,  ///< white space and kEdgePunctuation (data/formats/word_splitter.h), in any order
};

struct CanonicalSpans {
  std::vector<Entity> entities;  ///< sorted by (start, end, label), distinct, none empty
  std::int64_t num_duplicates = 0;
};

/// The form in which gold and predicted spans are compared: what `edges` says is trimmed at a span's edges, then empty
/// and impossible spans (start < 0, start >= end) are dropped, then repetitions, which are counted. All else counts,
/// case as well. A span may reach beyond the text (a model wrote more than it was given): no trimming there.
CanonicalSpans canonical_spans(std::u32string_view text, const std::vector<Entity>& entities,
                               SpanEdges edges = SpanEdges::white_space);

}  // namespace entune
