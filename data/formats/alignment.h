#pragma once

#include <string_view>

#include "data/code_points.h"
#include "data/formats/output_format.h"

namespace entune {

/// The repaired reading, one rule for all formats: sets Mention::repaired from the values, the order of the answer and,
/// where there are any, the raw places; counts not_in_text.
///
///   1. A mention whose raw place holds its value stays there.
///   2. Otherwise its candidates are the places where the value occurs; where it occurs nowhere, the places of the
///   value without
///      white space and .,;:!?()[]{}"' at its edges; else of that without regard to ASCII case and white space
///      ("28\nMill St" for "28 mill st"). No candidate: not_in_text, and no repaired entity.
///   3. As many mentions as possible take places that do not overlap and ascend in the order of the answer; among such
///      choices the one nearest to the raw places (sum of distances of starts), then the leftmost.
///   4. A mention that is left over takes the free candidate nearest to its raw place (without one: the leftmost); if
///   all are taken, the
///      nearest one.
///
/// At most kMaxAlignmentPairs pairs of mention and candidate are looked at in 3 and 4: in an answer with more, the k-th
/// mention of a value has its k-th occurrence (at most the last) as its only candidate. `index` is that of `input`.
void align(ParsedAnswer& answer, std::string_view input, const CodePointIndex& index);

inline constexpr std::size_t kMaxAlignmentPairs = 1 << 17;

}  // namespace entune
