#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace entune {

/// How many columns a terminal takes to show UTF-8: 2 for wide East Asian characters and emoji, 0 for combining marks.
std::size_t display_width(std::string_view text);

/// `text` with control characters (line ends, escape sequences) and invalid bytes replaced, so that it stays on its
/// line.
std::string one_line(std::string_view text);

/// A table of plain text: first column to the left, the others to the right, two spaces between, a rule below the
/// header.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header);
  /// As many entries as the header has. Entries are made one_line.
  void add_row(std::vector<std::string> row);
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the header first
};

}  // namespace entune
