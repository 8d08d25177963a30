#pragma once

#include <cstdint>
#include <vector>

#include "data/batches/packed_batch.h"
#include "data/tokens/chat_encoder.h"

namespace entune {

/// One encoded sample. Samples of one `variant` (label list) share their instruction turns.
struct TrainingSample {
  EncodedSample tokens;
  std::int64_t variant = 0;
};

struct BatchOptions {
  std::int64_t global_batch = 16;  ///< samples a step, over all data ranks
  /// Executed tokens of a micro-batch at most, prefix included; a longer sample stands alone.
  std::int64_t micro_batch_tokens = 4096;
  bool prefix_sharing = true;
  double prompt_weight = 0.0;  ///< weight of each prompt token; answer tokens weigh 1
};

/// What one rank does in one optimizer step.
struct StepBatches {
  std::vector<PackedBatch> micro_batches;  ///< this rank's; may be empty at the end of an epoch
  double weight_sum = 0.0;                 ///< of the loss weights of the whole global batch: the divisor
  TokenCounts tokens;                      ///< this rank's
  std::int64_t num_samples = 0;            ///< this rank's
};

/// The deterministic stream of steps of one data rank. All state is (seed, epoch, step): the order depends on the seed
/// and the epoch alone, never on the number of ranks. A step's samples are dealt to the ranks by token count (longest
/// first), then packed within each variant. The last step of an epoch may be smaller.
///
/// Where all samples of a step share one prefix, no prompt token has a weight and all ranks have equally many
/// micro-batches, each rank computes its part of the prefix only (PackedBatch::prefix_part): the ranks compute the
/// prefix once between them. Not where that would save nothing.
class BatchLoader {
 public:
  /// `samples` must outlive the loader; each has at least one prompt token and one answer token.
  BatchLoader(const std::vector<TrainingSample>& samples, BatchOptions options, std::uint64_t seed, std::int64_t rank,
              std::int64_t size);

  std::int64_t steps_per_epoch() const;
  /// Step `step` (in [0, steps_per_epoch())) of epoch `epoch`, for this rank.
  StepBatches load(std::int64_t epoch, std::int64_t step) const;
  /// The samples of that step over all ranks, in order.
  std::vector<std::size_t> sample_order(std::int64_t epoch, std::int64_t step) const;

 private:
  const std::vector<TrainingSample>& samples_;
  BatchOptions options_;
  std::uint64_t seed_;
  std::int64_t rank_;
  std::int64_t size_;
};

/// Number of leading tokens that all these samples share, leaving at least the last prompt token in every leaf. 0 for
/// fewer than two samples: a sample that stands alone shares with none.
std::int64_t shared_prefix_tokens(const std::vector<const EncodedSample*>& samples);

/// Packs samples of one variant into one micro-batch. With `share`, their common prefix stands once. The last token of
/// a sample predicts nothing and no other token sees it, so it is a target alone: a leaf ends before it.
PackedBatch pack(const std::vector<TrainingSample>& samples, const std::vector<std::size_t>& chosen, bool share,
                 double prompt_weight);

}  // namespace entune
