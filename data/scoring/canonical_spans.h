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

struct CanonicalSpans {
  std::vector<Entity> entities;  ///< sorted by (start, end, label), distinct, none empty
  std::int64_t num_duplicates = 0;
};

/// The form in which gold and predicted spans are compared: white space of `text` at a span's edges is trimmed, then
/// empty and impossible spans (start < 0, start >= end) are dropped, then repetitions, which are counted. Case and
/// punctuation count. A span may reach beyond the text (a model wrote more than it was given): no trimming there.
CanonicalSpans canonical_spans(std::u32string_view text, const std::vector<Entity>& entities);

}  // namespace entune
