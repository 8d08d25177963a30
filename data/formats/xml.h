#pragma once

#include <memory>

#include "data/formats/output_format.h"

namespace entune {

/// `xml`: the text copied, with each entity between the tags of its label: "Ask <PERSON>Ann</PERSON>." Nothing is
/// escaped.
///
/// render: entities that do not overlap; a text that holds a tag of the list is not carried.
/// parse: a tag of the list is a tag wherever it stands. Properly nested tags are read. A closing tag that crosses
/// another closes its own entity and counts as unbalanced. What looks like a tag of another label ([A-Z][A-Z0-9_]*) is
/// an unknown_label and left out of the copy, unless the input holds that very string: then it is text.
std::unique_ptr<OutputFormat> make_xml_format(const LabelList& labels);

}  // namespace entune
