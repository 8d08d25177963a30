#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "data/documents/document.h"

namespace entune {

/// Texts from a stream, one a line and one at a time: memory does not grow with the file. A line is a text, or in JSONL
/// an object with "text" and, where present, "id" (a string or an integer; else the line's number). Empty lines are
/// skipped; lines end in \n or \r\n and are at most kMaxLineBytes long.
class DocumentReader {
 public:
  enum class Lines { text, jsonl, by_first_line };

  /// `name` stands in errors. `in` must outlive the reader. by_first_line: jsonl if the first line is an object.
  DocumentReader(std::istream& in, std::string name, Lines lines);

  /// nullopt at the end. Throws InputError "name:line: ..." without the text for a line that cannot be used.
  std::optional<Document> next();
  /// Of the document that next() gave last, from 1.
  std::int64_t line() const { return line_; }

 private:
  bool read_line(std::string& line);
  Document parse(std::string line) const;

  std::istream& in_;
  std::string name_;
  Lines lines_;
  std::int64_t line_ = 0;
};

}  // namespace entune
