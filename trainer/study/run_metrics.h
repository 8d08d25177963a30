#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "data/entity.h"
#include "distributed/device_mesh.h"
#include "trainer/evaluate/evaluator.h"
#include "trainer/loop/step_timer.h"
#include "trainer/loop/trainer.h"
#include "trainer/plan/flop_plan.h"
#include "trainer/recipe/recipe.h"
#include "trainer/telemetry/metric_registry.h"
#include "trainer/telemetry/metrics_exporter.h"
#include "trainer/telemetry/step_log.h"

namespace entune {

/// The values of the catalog's labels that come from the data: formats, what can be said of an answer, and the recipe's
/// labels as entities.
LabelValues data_label_values(const LabelList& labels);

/// What this rank counts and measures of a run, for Prometheus: the exporter, the file with all ranks' addresses and,
/// when it ends, a snapshot of the metrics, after failures too. Nothing of it stops a run: what cannot be done is a
/// warning.
///
/// With telemetry.metrics.enabled: false there are neither exporter nor timing, but the snapshot.
class RunMetrics {
 public:
  using Clock = std::chrono::steady_clock;

  /// Collective. `recipe` must outlive it. `begin`: when the run began; the phases' times add up to the time since
  /// then.
  RunMetrics(const Recipe& recipe, Communicator& world, std::filesystem::path snapshot, Clock::time_point begin);
  /// Not collective.
  ~RunMetrics();
  RunMetrics(const RunMetrics&) = delete;
  RunMetrics& operator=(const RunMetrics&) = delete;

  /// For make_mesh; null where nothing is timed.
  CollectiveTime* collectives() { return recipe_.metrics.enabled ? &collectives_ : nullptr; }

  /// From here on it is about this cell.
  void begin_cell(const StudyCell& cell, DecoderModel& model, DeviceMesh& mesh);
  /// `trainer` runs no step after end_training().
  void begin_training(Trainer& trainer, at::Device device);
  void record(const StepRecord& step);
  void end_training();

  /// Phases outside training steps.
  enum class Apart { evaluation, checkpoint };
  /// Its lifetime is time of such a phase, which the watchdog is told of too.
  class InPhase {
   public:
    InPhase(RunMetrics& metrics, Apart phase);
    ~InPhase();
    InPhase(const InPhase&) = delete;
    InPhase& operator=(const InPhase&) = delete;

    double seconds() const;

   private:
    RunMetrics& metrics_;
    const std::string_view phase_;
    const std::string state_before_;
    const Clock::time_point begin_;
  };
  void record_checkpoint(std::int64_t bytes);
  void record_failed_checkpoint() { registry_.add("checkpoints_total", {"failed"}, 1.0); }
  void record_restore(double seconds) { registry_.set("restore_seconds", {}, seconds); }
  /// What answering the side `split` gave; `report`: score_report's. Of the first rank alone.
  void record_answers(const std::string& split, const EvaluationResult& answered, const nlohmann::json& report);
  void record_validation_loss(double loss) { registry_.set("validation_loss", {}, loss); }
  /// What the last snapshot is to say: the run has all its results, or was stopped with its state saved. Without
  /// either, that it failed.
  void record_success();
  void record_stop() { end_ = "saved"; }

 private:
  void enter(const std::string& state);
  void add_phase(std::string_view phase, double seconds);
  /// Brings the collectives' counters up to date; the time that no phase has had goes to `other`.
  void settle();
  void publish(std::string_view axis, int size, const CollectiveCounts& counts, CollectiveCounts& published);
  void serve(Communicator& world);
  std::string page();

  const Recipe& recipe_;
  const std::filesystem::path snapshot_;
  const Clock::time_point begin_;
  const int num_ranks_;
  MetricRegistry registry_;
  std::string targets_;  // as written by this rank
  // Of the running cell.
  std::string format_, state_;
  double clip_norm_ = 0.0;
  MatmulWeights weights_;
  double flops_of_weight_ = 4.0;  // and row
  int data_size_ = 1, tensor_size_ = 1;
  std::atomic<int> gpu_ = -1;  // its index; the exporter's thread reads it
  CollectiveTime collectives_;
  CollectiveCounts published_data_{}, published_tensor_{};
  std::optional<StepTimer> timer_;
  std::string end_ = "fail";
  double accounted_ = 0.0;                     // seconds of all phases
  std::unique_ptr<MetricsExporter> exporter_;  // last: it goes before what it shows
};

}  // namespace entune
