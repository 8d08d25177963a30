#pragma once

#include "data/entity.h"
#include "data/formats/output_format.h"

namespace entune {

/// The example that the `explain` prompt shows: a short made-up text with the entities whose labels are in `labels`
/// (usual names such as PERSON, EMAIL_ADDRESS, DATE_TIME, in any case). If the list has none of them, a text made from
/// the first labels' own names. At most three entities; `format` can carry it.
Example make_worked_example(const OutputFormat& format, const LabelList& labels);

}  // namespace entune
