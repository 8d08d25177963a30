#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace entune {

/// Where one cell's answers lie: predictions/<split>.jsonl of its folder, if the run kept them.
struct CellAnswers {
  std::string cell;
  std::filesystem::path folder;  ///< predictions/
};

/// A <section> with the first `per_cell` wrong answers of each cell (those whose spans, as they stand, are not the gold
/// ones), split by split in the order of their names: each text with its gold and predicted spans marked, all of it
/// escaped. It holds personal data, and says so. Throws InputError where no cell has kept answers, and "file:line: ..."
/// for a line that is no answer with its text.
std::string example_section(const std::vector<CellAnswers>& cells, std::int64_t per_cell);

}  // namespace entune
