#pragma once

#include <string>
#include <string_view>

#include "data/readers/sample_sink.h"

namespace entune {

/// The readers of whole files. `contents` is the file without a byte order mark. Lines end in \n or \r\n and are at
/// most kMaxLineBytes long. A sample that cannot be used goes to sink.reject(); a file whose structure is lost is an
/// InputError under either policy, because nobody can say how many samples it cost.
inline constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;

/// One JSON object a line: "text", "entities" [{"start", "end", "label", "value"?}], and where present "id" (string or
/// integer) and the group key. Other members are ignored. An empty line is a bad sample, unless it is the last.
void read_jsonl(std::string_view contents, const std::string& group_key, SampleSink& sink);

/// An array of {"full_text", "spans": [{"entity_type", "entity_value"?, "start_position", "end_position"}]}, in any
/// layout; the spans in any order. Other members are ignored ("masked" among them: the group key says what the template
/// is).
void read_presidio(std::string_view contents, const std::string& group_key, SampleSink& sink);

/// Lines of columns: the token first, its tag last; separated by tabs if the line has one, else by spaces. A blank line
/// ends a sentence, as does a -DOCSTART- line, which is skipped. A sample's text is its tokens joined by one space.
/// Tags must be possible in `scheme`:
///   iob2   every entity begins with B-
///   iob1   an entity begins with I-, or with B- right behind one of the same label, and only there
///   bioes  B- I-* E-, or S- alone
void read_conll(std::string_view contents, const std::string& scheme, SampleSink& sink);

}  // namespace entune
