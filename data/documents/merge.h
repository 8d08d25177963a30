#pragma once

#include <string_view>
#include <vector>

#include "data/documents/windows.h"
#include "data/formats/output_format.h"

namespace entune {

/// The answers of a document's windows as one answer of the document; `answers[i]` is that of `windows[i]` of `text`,
/// with the window's own offsets. Faults and copy distances are summed up. Both readings are merged alike:
///
///   1. Spans that one window saw side by side, nested ones too, never push each other out.
///   2. A span that its window's edge cuts gives way to a span of its label that begins (or, cut at its start, ends)
///      with it and goes on beyond the edge: the window saw a part of that one. Two spans of one label that overlap,
///      one cut at its end and the other at its start, are the halves of one span and become it.
///   3. Of other spans that overlap and that no one window saw both, the longest stays; of equally long ones the one
///      with more context (text of its window on its shorter side; the document's ends count as endless), then the one
///      that begins earlier, then the one of the lower label.
///
/// So equal spans stay once, a span that nothing overlaps stays whichever window saw it, and spans that do overlap were
/// answered so by one window.
///
/// A mention is dropped where its span gave way or stands already. Where only one of its readings did, that one moves
/// to the span it gave way to. A mention that has no place in either reading stays.
ParsedAnswer merge_answers(std::string_view text, const std::vector<Window>& windows,
                           std::vector<ParsedAnswer> answers);

}  // namespace entune
