#pragma once

#include <istream>
#include <optional>
#include <string>

#include "data/deidentify/deidentifier.h"
#include "data/documents/document_reader.h"
#include "data/entity.h"

namespace entune {

/// The files of de-identification, one JSON object a line and one line in memory at a time. All lines have "id" (a
/// string or an integer; the line's number where there is none) and
///   documents    "text", and "entities" [{"start", "end", "label", "value"?}] unless their spans lie in another file
///   spans        "entities" alone, as predict writes them, in the order of the documents
///   output       "text", "entities" [{"start", "end", "label", "operator"}], "policy": the new text, what stands in it
///                (what was redacted is not there) and the fingerprint of policy and key
///   audit        "policy_sha256", "spans" [{"start", "end", "new_start", "new_end", "label", "operator",
///                "by_default"}]: every span in the old and in the new text, no value
class SpanLineReader {
 public:
  /// `name` stands in errors; `in` must outlive the reader.
  SpanLineReader(std::istream& in, std::string name)
      : lines_(in, name, DocumentReader::Lines::text), name_(std::move(name)) {}

  /// Each gives the next line of its kind, or nullopt at the end, and throws InputError "name:line: ..." without text
  /// for a line that is not of it.
  std::optional<Example> next_document();
  struct Output {
    std::string id;
    std::string text;
    std::vector<WrittenSpan> spans;
  };
  std::optional<Output> next_output();
  /// The next document of `documents`, which have no entities, with the entities of this file's next line. Throws
  /// InputError if that is another document's, or if one of the two files ends before the other.
  std::optional<Example> next_of(SpanLineReader& documents);

  /// "name:line" of what was read last.
  std::string place() const;

 private:
  template <typename Read>
  auto read(Read&& read) -> std::optional<decltype(read(std::string_view()))>;

  DocumentReader lines_;
  std::string name_;
};

/// The document's lines in the output and in the audit.
std::string output_line(const DeidentifiedDocument& document);
std::string audit_line(const DeidentifiedDocument& document, const DeidentificationPolicy& policy);
/// The line of a document that is put together again: as documents above, "operator" with spans that were not
/// encrypted.
std::string reidentified_line(const std::string& id, const ReidentifiedDocument& document);

}  // namespace entune
