#pragma once

#include <memory>

#include "data/formats/output_format.h"

namespace entune {

/// `bracket`: the text copied, with each entity as [value | LABEL]: "Ask [Ann | PERSON]." Nothing is escaped.
///
/// render: entities that do not overlap; not carried is a text that holds " | LABEL]" of the list, or an entity whose
/// own brackets do not pair up. parse: " | LABEL]" of the list ends an entity that begins at the nearest "[" not yet
/// paired; other brackets pair up and are text. An ending without a "[" and a "[" more than the input has are
/// unbalanced. The same ending with another label ([A-Z][A-Z0-9_]*) is an unknown_label and left out of the copy,
/// unless the input holds that very string: then it is text.
std::unique_ptr<OutputFormat> make_bracket_format(const LabelList& labels);

}  // namespace entune
