#pragma once

#include <vector>

#include "data/documents/windows.h"
#include "data/formats/output_format.h"

namespace entune {

/// The answers of a document's windows as one answer of the document; `answers[i]` is that of `windows[i]`, with the
/// window's own offsets. Faults and copy distances are summed up. Both readings are merged alike:
///
///   1. Spans of one window stand as they are, nested ones too: they never push each other out.
///   2. Two spans of one label that overlap, of which one is cut off by its window's end and the other by its window's
///      start, are the halves of one span: they are joined.
///   3. Of spans of different windows that overlap, the longer one stays; of equally long ones the one that has more
///      context (text of its window on its shorter side; the document's own ends count as endless), then the one that
///      starts earlier, then the one of the lower label. Equal spans thus stay once.
///
/// So a span that is cut by a window's edge gives way to the whole one, and a span that nothing overlaps stays,
/// whichever window saw it.
///
/// A mention is dropped when it gave way: no reading of it stays. Where one reading stays and the other gave way, that
/// one moves to the span it gave way to. A mention that has no place in either reading stays.
ParsedAnswer merge_answers(const std::vector<Window>& windows, std::vector<ParsedAnswer> answers);

}  // namespace entune
