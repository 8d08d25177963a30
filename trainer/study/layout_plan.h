#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/batches/batch_loader.h"
#include "trainer/plan/gpu_models.h"
#include "trainer/study/recipe_plan.h"

namespace entune {

/// What of a recipe decides whether it fits and how fast it is, besides the number of ranks.
struct PlannedLayout {
  int data = 1, tensor = 1;
  std::int64_t zero = 1;
  ActivationCheckpointing checkpointing = ActivationCheckpointing::none;

  bool operator==(const PlannedLayout&) const = default;
};
/// "data 4 x tensor 2, zero 1, checkpointing full"
std::string describe(const PlannedLayout& layout);
PlannedLayout layout_of(const Recipe& recipe, int num_ranks);

/// A recipe's training with one layout. Memory and time are those of the first data rank in the step whose micro-batch
/// is the widest of the first epoch (of its first kStepsLookedAt steps).
struct LayoutPlan {
  PlannedLayout layout;
  StepPlan step;
  StepTime time;  ///< zero without rates
  std::int64_t steps_per_epoch = 0;
  TokenCounts tokens;  ///< of that step, of the rank
};
constexpr std::int64_t kStepsLookedAt = 32;

/// One recipe's layouts.
class LayoutPlanner {
 public:
  /// All must outlive the planner. `gpu`: whose numbers count; null: CPUs, without times.
  LayoutPlanner(const Recipe& recipe, const CellSetup& setup, const std::vector<TrainingSample>& samples,
                const GpuModel* gpu)
      : recipe_(recipe), setup_(setup), samples_(samples), gpu_(gpu) {}

  LayoutPlan plan(const PlannedLayout& layout) const;
  /// All that the model allows on so many ranks: tensor sizes up to a machine's GPUs, sharded states or not,
  /// checkpointing or not.
  std::vector<PlannedLayout> layouts(int num_ranks) const;
  /// Those of layouts() that take at most `bytes`, the fastest first (or, without times, those that compute the least
  /// again).
  std::vector<LayoutPlan> fitting(int num_ranks, std::int64_t bytes) const;

 private:
  const Recipe& recipe_;
  const CellSetup& setup_;
  const std::vector<TrainingSample>& samples_;
  const GpuModel* gpu_;
};

/// Why a layout does not fit, by its parts, and what would.
std::string cannot_fit(const std::string& name, const LayoutPlan& planned, std::int64_t usable,
                       const std::vector<LayoutPlan>& fitting);

/// Throws InputError, on every rank alike, for a recipe whose training cannot fit the devices of this world: on GPUs by
/// the whole plan, naming its parts and the layouts that would fit; on CPUs where weights, gradients and optimizer
/// alone exceed the machine's memory. On CPUs rank 0 prints a warning where a step would exceed what is free. Loads no
/// weight. Collective.
void require_fit(const StudyCell& cell, const CellSetup& setup, const std::vector<Example>& examples, at::Device device,
                 Communicator& world);

}  // namespace entune
