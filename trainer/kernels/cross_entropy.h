#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace entune {

// Cross-entropy between the two products with the head, on rows of logits [n, V_part]: those of the ids [first_id,
// first_id + V_part), a part of the vocabulary or all of it. Both functions are float32 inside (float64 for float64)
// and round only what they give back.

/// What rows of logits say of their part of the vocabulary.
struct LogitRows {
  at::Tensor values;        ///< for logit_gradients alone: the logits, or what it wants instead of them
  at::Tensor lse;           ///< [n], log of the sum of this part's exponentials; -infinity for an empty part
  at::Tensor target_logit;  ///< [n]; 0 where the target is in another part
};

/// `logits` are consumed. targets [n] int64, ids of the whole vocabulary.
LogitRows read_logits(at::Tensor logits, const at::Tensor& targets, std::int64_t first_id);

/// weights_i * (e^(logit_ij - lse_i) - [j is the target of row i]), [n, V_part] in `type`, for the lse [n] over the
/// whole vocabulary: the gradient of sum_i weights_i * (lse_i - target_logit_i). The difference is taken before it is
/// rounded: where the model is sure, both terms are near 1 and what counts is far below. `rows` are consumed.
at::Tensor logit_gradients(LogitRows rows, const at::Tensor& targets, std::int64_t first_id, const at::Tensor& lse,
                           const at::Tensor& weights, at::ScalarType type);

/// Rows to treat at once, so that their logits (float32) stay within 64 MiB; at least 16.
std::int64_t cross_entropy_chunk_rows(std::int64_t vocabulary_part);

}  // namespace entune
