#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace entune {

/// What one optimizer step did, over all ranks. Tokens are of the whole global batch.
struct StepRecord {
  std::int64_t step = 0;   ///< from 1
  std::int64_t epoch = 0;  ///< from 1
  double loss = 0.0;       ///< weighted mean over the global batch's supervised rows
  double learning_rate = 0.0;
  double gradient_norm = 0.0;  ///< before clipping
  std::int64_t samples = 0;
  std::int64_t logical_tokens = 0;
  std::int64_t executed_tokens = 0;
  std::int64_t supervised_tokens = 0;
  double seconds = 0.0;
  bool skipped = false;  ///< nothing was updated: the loss or the gradient's norm is not finite
};

/// What one evaluation during training gave.
struct ValidationRecord {
  std::int64_t step = 0;
  double loss = 0.0;
  double strict_f1 = 0.0;  ///< micro, raw; 0 where undefined
  bool best = false;
};

/// steps.jsonl: one JSON object a line, flushed line by line. {"kind": "step", ...} and {"kind": "validation", ...}.
/// A number that is not finite is null.
class StepLog {
 public:
  /// Writes nowhere if `file` is empty (every rank but the first). Of what is there, the lines of the steps and
  /// validations up to these stay: those of a run that is resumed.
  explicit StepLog(const std::filesystem::path& file, std::int64_t last_step = 0, std::int64_t last_validation = 0);

  void write(const StepRecord& record);
  void write(const ValidationRecord& record);

 private:
  std::ofstream out_;
};

}  // namespace entune
