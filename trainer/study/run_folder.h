#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace entune {

/// Where a run leaves its files:
///
///   runs/<name>/recipe.yaml                 the recipe as resolved, study included
///   runs/<name>/summary.json, report.html   all cells that are there
///   runs/<name>/metrics/rank-<n>.prom       each rank's metrics when it ended; of a cell that ran apart, in its folder
///   runs/<name>/watchdog/, hang-*.txt       while it runs; of a run that hung (trainer/loop/watchdog.h)
///   runs/<name>/cells/<cell>/recipe.yaml    the cell's own resolved recipe
///                           /steps.jsonl    step and validation records
///                           /checkpoints/  the training's newest states (trainer/loop/checkpoint_directory.h)
///                           /cell.json      its part of summary.json, and what predict needs
///                           /scores/<split>.jsonl   counts per document, no text
///                           /adapter/               PEFT adapter of a LoRA training
///                           /model/                 Hugging Face directory of a full one, or with export: merged
///                           /predictions/<split>.jsonl   only if asked for; holds text
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path cell(const std::string& name) const;
  std::filesystem::path summary() const { return root_ / "summary.json"; }
  std::filesystem::path report() const { return root_ / "report.html"; }

  /// What becomes of an earlier run's files. Resumed: of the cells named only what a training needs to go on stays,
  /// steps.jsonl and checkpoints/; all other cells stay as they are.
  enum class Earlier { refused, removed, resumed };
  /// Makes the folder with one for each of `cells` (mode 0700 where it was not there). With Earlier::refused it throws
  /// InputError if it holds files of an earlier run, finished or not. `apart`: these cells are a part of the study and
  /// others may run beside them: only their own files count.
  void prepare(const std::vector<std::string>& cells, bool apart, Earlier earlier) const;
  /// Throws InputError if something else than a folder stands where the run's files go.
  void require_folder() const;
  bool is_finished(const std::string& cell) const;
  /// Folders of the cells that have results.
  std::vector<std::filesystem::path> finished() const;

 private:
  std::filesystem::path root_;
};

}  // namespace entune
