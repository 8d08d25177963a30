#pragma once

#include <memory>

#include "data/formats/output_format.h"

namespace entune {

/// `json_values`: [{"type": "PERSON", "value": "Ann", "occurrence": 1}, ...] in the order of the entities; occurrence n
/// is the n-th place, from 1, at which exactly this value begins in the input, overlapping places and places inside
/// words included (find_occurrences). Carries every example.
///
/// parse: no such occurrence is offset_wrong; an absent or non-integer one is read as 1 if the value occurs once, and
/// is ambiguous_value if it occurs more often. Objects that lack a string type or value are unparsable.
std::unique_ptr<OutputFormat> make_json_values_format(const LabelList& labels);

}  // namespace entune
