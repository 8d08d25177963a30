#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "data/batches/batch_loader.h"
#include "distributed/device_mesh.h"
#include "distributed/parameter_buckets.h"
#include "trainer/loop/step_timer.h"
#include "trainer/model/decoder_model.h"
#include "trainer/optim/adamw.h"
#include "trainer/optim/schedule.h"
#include "trainer/telemetry/step_log.h"

namespace entune {

struct TrainerOptions {
  std::int64_t epochs = 1;
  AdamWOptions optimizer;
  ScheduleOptions schedule;
  bool shard_optimizer = true;  ///< over the data axis (ZeRO stage 1)
  std::int64_t bucket_bytes = BucketOptions().bucket_bytes;
  /// Reduce gradients beside the backward pass, gather parameters beside the next forward pass. Absent: on GPUs, where
  /// communication has a stream of its own.
  std::optional<bool> overlap = {};
};

/// How far a training is; with the contents of Trainer::parts() all that it has changed.
struct TrainerProgress {
  std::int64_t steps_done = 0;
  std::int64_t num_skipped = 0;     ///< steps without an update, as their loss or gradient was not finite
  std::int64_t skipped_in_row = 0;  ///< of these, the last ones without a break
};

/// The step loop: load, forward, backward, reduce, update, record. Collective: every rank of the mesh calls run_step()
/// equally often.
class Trainer {
 public:
  /// All of them must outlive the trainer. `loader` deals to the data axis.
  Trainer(DecoderModel& model, const BatchLoader& loader, DeviceMesh& mesh, const TrainerOptions& options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  std::int64_t total_steps() const { return total_steps_; }
  std::int64_t steps_done() const { return progress_.steps_done; }
  bool done() const { return steps_done() == total_steps_; }
  bool at_epoch_end() const { return steps_done() % loader_.steps_per_epoch() == 0; }

  /// The next optimizer step. Gradients are summed over micro-batches, the data axis and the tensor axis (where
  /// partial), over ranks in float32, then divided once by the sum of the loss weights of the global batch. Where the
  /// loss or the gradient's norm is not finite on any rank, no rank updates anything (StepRecord::skipped).
  StepRecord run_step();
  /// Whether a rank had been asked to stop (stop_signal.h) when the last step ended; alike on all ranks.
  bool asked_to_stop() const { return asked_to_stop_; }

  /// What this rank updates: flat states, which share the trainer's memory, and what of the parameters they are of.
  struct Part {
    AdamWTensors states;
    std::vector<ParameterBuckets::Piece> pieces;  ///< in trained_parameters()
  };
  std::vector<Part> parts() const;
  /// Whether the ranks of the data axis each hold other parts; else all hold the same.
  bool is_sharded() const { return buckets_.sharded(); }
  std::vector<Parameter> trained_parameters() const;
  TrainerProgress progress() const { return progress_; }
  /// Goes on from there, once parts() hold the states of that step. Collective.
  void resume(const TrainerProgress& progress);

  /// From now on `timer` is told where each step is; null: nobody is. It must outlive the steps.
  void tell(StepTimer* timer) { timer_ = timer; }

 private:
  void enter(StepPhase phase);
  ParameterBuckets make_buckets();
  void await_before_use();
  StepRecord agree(const StepBatches& work, double loss_sum);
  void reduce_gradients();
  double gradient_norm() const;

  DecoderModel& model_;
  const BatchLoader& loader_;
  DeviceMesh& mesh_;
  TrainerOptions options_;
  std::int64_t total_steps_;
  TrainerProgress progress_;
  bool asked_to_stop_ = false;
  StepTimer* timer_ = nullptr;
  std::unique_ptr<Communicator> bucket_group_;  // the data axis anew, where collectives of both may overlap
  ParameterBuckets buckets_;
  AdamW optimizer_;
};

/// Weighted mean loss over `samples`, shared out over the data axis; no gradient. 0 for no samples.
double mean_loss(DecoderModel& model, const std::vector<TrainingSample>& samples, const BatchOptions& options,
                 DeviceMesh& mesh);

}  // namespace entune
