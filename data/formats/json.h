#pragma once

#include <memory>

#include "data/formats/output_format.h"

namespace entune {

/// `json`: [{"entity_type": "PERSON", "entity_value": "Ann", "start_position": 4, "end_position": 7}, ...] in the order
/// of the entities; offsets are code points of the input, half-open. Carries every example.
///
/// parse: the raw place is what the offsets say, if they are integers within the input, whatever the value; where the
/// input there is not the value, or the offsets are no place, offset_wrong. Objects that lack a string entity_type or
/// entity_value are unparsable.
std::unique_ptr<OutputFormat> make_json_format(const LabelList& labels);

}  // namespace entune
