#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace entune {

/// One benchmark of a scaling study: a line that `trainer benchmark` wrote (cell_benchmark.h says what the numbers
/// mean).
struct ScalingRun {
  bool weak = false;    ///< the global batch grows with the data ranks; else it is the same at every size
  std::string setting;  ///< model, method, dtype, device and batch: what is equal at all sizes that are compared
  std::int64_t ranks = 1, data = 1, tensor = 1, machines = 1;
  bool crowded = false;  ///< more ranks on a machine than it has cores, or GPUs: its speed says nothing of scaling
  bool on_gpus = false;
  std::int64_t global_batch = 0;
  double step_seconds = 0.0;       ///< median
  double tokens_per_second = 0.0;  ///< logical tokens, all ranks together
  double exposed = 0.0;            ///< share of the steps' time that is waiting for communication, mean of the ranks
  double peak_bytes = 0.0;         ///< of the rank that held most
  std::optional<double> mfu;       ///< of what the method needs: at 4N for LoRA, 6N for full fine-tuning
  std::optional<double> gpu_hour_price_usd;
};

/// Reads files, and all *.json of directories; a file holds one benchmark. Throws InputError "path: ..." for one that
/// is none, and where there is not any.
std::vector<ScalingRun> read_scaling_runs(const std::vector<std::filesystem::path>& paths);

/// What a whole training needs and gives, from a finished run of the same recipe.
struct TrainingCost {
  double tokens = 0.0;  ///< logical
  double f1 = 0.0;      ///< strict, micro, raw, on the first split
};
/// Of the first trained cell of a summary. Throws InputError where there is none.
TrainingCost training_cost(const nlohmann::json& summary);

/// A size, layout and placement of the study; of several runs of one the one of median speed.
struct ScalingRow {
  ScalingRun run;
  std::size_t num_runs = 1;
  double tokens_per_second_and_rank = 0.0;
  double speedup = 1.0;                      ///< over the smallest size of the same setting that is not crowded
  double efficiency = 1.0;                   ///< tokens a second and rank over that one's
  std::optional<double> rank_hours_a_point;  ///< of the whole training, for a hundredth of F1
  std::optional<double> usd_a_point;         ///< on GPUs with a price
};

/// Strong scaling first, then by setting, ranks and tensor ranks.
std::vector<ScalingRow> scaling_rows(std::vector<ScalingRun> runs, const std::optional<TrainingCost>& training);

}  // namespace entune
