#pragma once

#include <string_view>
#include <vector>

#include "data/deidentify/policy.h"
#include "data/entity.h"

namespace entune {

/// The spans that a policy works on: of `entities` (within `text`, in any order), sorted and apart.
///   - With snap_to_words a span is first widened to the words it begins and ends in (data/formats/word_splitter.h), so
///     that no part of a name stays behind.
///   - Spans that overlap become one, from the first start to the last end. It takes the label of the one whose
///   operator
///     leaves least: one that removes all before one that leaves a part, `keep` last; of equals the longest, then the
///     first.
///   - Spans that only touch stay two.
std::vector<Entity> covered_spans(std::string_view text, const std::vector<Entity>& entities,
                                  const DeidentificationPolicy& policy);

}  // namespace entune
