#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/batches/batch_loader.h"
#include "distributed/device_mesh.h"
#include "trainer/loop/measured_rates.h"
#include "trainer/plan/held_bytes.h"
#include "trainer/study/recipe_plan.h"

namespace entune {

/// What a benchmark's steps were to take, beside what they took.
class PlannedSteps {
 public:
  /// Counts this thread's tensors on a CPU from here on: before the model is made.
  PlannedSteps(const Recipe& recipe, const CellSetup& setup, DeviceMesh& mesh)
      : recipe_(recipe), setup_(setup), mesh_(mesh) {}

  /// Around what is measured: the most bytes that this rank's tensors hold at once.
  void begin_peak();
  void end_peak();
  std::int64_t peak_tensor_bytes() const { return measured_peak_; }

  /// Plans the first `num_steps` steps of this rank's loader.
  void plan(const BatchLoader& loader, std::int64_t num_steps);
  /// How fast this rank works, on all ranks at once. Once before the timed steps and once after them: the mean counts.
  void measure_rates();

  /// The `planned` subtree of the benchmark's JSON (cell_benchmark.h). `first` of the planned steps is the first that
  /// was timed. Collective.
  nlohmann::ordered_json report(std::size_t first, double median_step_seconds);
  /// After report(): its numbers in two lines.
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const Recipe& recipe_;
  const CellSetup& setup_;
  DeviceMesh& mesh_;
  CpuTensorBytes tensor_bytes_;
  std::int64_t measured_peak_ = 0;
  std::vector<StepPlan> plans_;
  PackedBatch widest_;  // micro-batch
  std::vector<WorkRates> work_;
  std::vector<AxisRates> data_, tensor_;
  std::vector<std::string> lines_;
};

/// The middle one, or the mean of the two that stand there. Not empty.
double median(std::vector<double> values);

}  // namespace entune
