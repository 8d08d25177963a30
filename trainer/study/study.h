#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "trainer/recipe/load_recipe.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_setup.h"

namespace entune {

class Watchdog;

struct StudyOptions {
  std::filesystem::path recipe;
  std::vector<std::string> overrides;
  bool overwrite = false;
  /// Runs this one (number from 0, or name) and leaves the others to other jobs.
  std::optional<std::string> only_cell = std::nullopt;
  /// Where the run's watchdog goes, to watch over what the caller does afterwards too; null: it ends with the run.
  std::unique_ptr<Watchdog>* watchdog = nullptr;
};

/// A recipe's study as it will run: its cells, their tokenizers, tasks and layouts, their texts, in the same order.
struct PreparedStudy {
  std::vector<StudyCell> cells;
  std::vector<CellSetup> setups;
  std::vector<CellData> data;
};

/// Sets up the cells of expand_study for `world_size` ranks and reads their texts. Throws InputError.
PreparedStudy set_up_study(std::vector<StudyCell> cells, std::int64_t world_size);

/// Prints what texts no cell gets, and why, and what prepare_data has to say of the splits.
void print_left_out(const std::vector<CellData>& data);

/// Checks all that can be checked before a weight is loaded: recipe, layout for `world_size` ranks, tokenizers, texts,
/// that the cells can be compared, the headers of the weights, and that the output is a folder or absent. Throws
/// InputError.
PreparedStudy prepare_study(const std::filesystem::path& recipe, const std::vector<std::string>& overrides,
                            std::int64_t world_size);

/// Runs every cell of a recipe's study (one, without a study), then writes summary.json and report.html and prints the
/// table. Collective over the world. Everything that can be refused is refused before the first weight is loaded.
/// Cells that are finished are left alone if the recipe resumes. Throws EarlyEnd (train_cell).
void run_study(const StudyOptions& options, Communicator& world);

/// Merges the cells of run folders into one summary and report in `output`, with the comparisons made anew, and prints
/// the table. `examples`: how many wrong answers of each cell the page shows with their texts; 0: no text is on it.
/// Throws InputError if the runs do not have the same labels and test texts, or kept no answers to show.
void write_report(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& output,
                  std::int64_t examples = 0);

}  // namespace entune
