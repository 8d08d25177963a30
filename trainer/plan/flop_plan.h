#pragma once

#include <cstdint>

#include "data/batches/packed_batch.h"
#include "trainer/model/decoder_model.h"

namespace entune {

/// The weights that tokens are multiplied with, over all ranks of the tensor axis; adapters, norms and the lookup in
/// the embedding not counted. Every row of a batch passes `all_rows` of them; only rows that carry a loss pass
/// `loss_rows`: the head, and of the last block what follows its keys, values and queries.
struct MatmulWeights {
  std::int64_t all_rows = 0;
  std::int64_t loss_rows = 0;
};

MatmulWeights matmul_weights(DecoderModel& model);

/// Floating-point operations of all blocks' attention in a forward pass over all heads: 4 D for each query head and
/// pair of a row and a key that it sees. A sliding window is not looked at.
double attention_flops(const PackedBatch& batch, const LlamaConfig& config);
/// The backward's: five products where the forward has two (Dao 2022).
constexpr double kAttentionBackward = 2.5;

}  // namespace entune
