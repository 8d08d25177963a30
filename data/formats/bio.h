#pragma once

#include <memory>

#include "data/formats/output_format.h"

namespace entune {

/// `bio`: one line a word of split_words(), the word, a space and its tag: O, B-LABEL for the first word of an entity,
/// I-LABEL for its others. Lines end with "\n", the last one without. A text without words gives an empty answer.
///
/// render: entities that do not overlap and whose borders are borders of words; words hold no space, so a line is split
/// at its last one. parse: empty lines are skipped. A line without a tag is unparsable and read as a word outside. I-
/// without its B- begins an entity and is unbalanced. Words are compared one by one; from the first one that differs
/// from the input on, entities have no raw place (copy_differs, as where words are missing or too many).
std::unique_ptr<OutputFormat> make_bio_format(const LabelList& labels);

}  // namespace entune
