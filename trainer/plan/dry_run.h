#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "data/batches/packed_batch.h"
#include "distributed/parameter_buckets.h"
#include "distributed/timed_communicator.h"
#include "trainer/model/decoder_model.h"
#include "trainer/plan/operator_costs.h"

namespace entune {

/// A training on some layout of ranks, as far as memory and work of one rank follow from it.
struct DryRunOptions {
  LlamaConfig config;
  ModelOptions model;  ///< its device: any; of a CPU's or a GPU's kernels by `on_gpu`
  bool on_gpu = false;
  int data = 1, tensor = 1;            ///< the mesh
  int data_rank = 0, tensor_rank = 0;  ///< whose memory
  bool shard_optimizer = true;
  std::int64_t bucket_bytes = BucketOptions().bucket_bytes;
};

/// Bytes of one rank's tensors. weights to optimizer are held all the time.
struct MemoryPlan {
  std::int64_t weights = 0;      ///< of the base model; trained ones in flat buckets, padding included
  std::int64_t adapters = 0;     ///< in flat buckets too
  std::int64_t gradients = 0;    ///< flat buckets
  std::int64_t optimizer = 0;    ///< moments, and float32 masters of bfloat16 parameters
  std::int64_t activations = 0;  ///< what the largest micro-batch's forward keeps for the backward
  std::int64_t working = 0;      ///< what stands beside all this at the peak: peak() - the others; may be below 0
  std::int64_t forward_peak = 0, backward_peak = 0, update_peak = 0;
  std::int64_t largest_tensor = 0;

  std::int64_t always_held() const { return weights + adapters + gradients + optimizer; }
  std::int64_t peak() const { return std::max({always_held(), forward_peak, backward_peak, update_peak}); }
};

/// One optimizer step of one rank.
struct StepPlan {
  MemoryPlan memory;
  OperatorCosts forward, backward, update;  ///< backward with what checkpointing computes again
  /// Calls on the mesh's axes, with the bytes of the larger tensor: those of the passes (on the data axis a prefix that
  /// the ranks share out), and those of the update, which on GPUs run beside the passes.
  CollectiveCounts data_calls{}, tensor_calls{}, data_update_calls{}, tensor_update_calls{};
  std::int64_t num_micro_batches = 0;
  std::int64_t parameters = 0, trained = 0;  ///< over all tensor ranks, without adapters; with a gradient
};

/// Runs the step on tensors that have shapes and no memory: the model's own layers, kernels, buckets and optimizer, so
/// that it takes what they take. The micro-batches are those that the rank's BatchLoader deals. No weights, no GPU, no
/// other ranks are needed; some tenths of a second for a large model. Throws c10::Error for a layout that the model
/// does not allow.
StepPlan dry_run(const DryRunOptions& options, const std::vector<PackedBatch>& micro_batches);

}  // namespace entune
