#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace entune {

/// Softmax over a part of the vocabulary and what joins it to the other parts.
struct SoftmaxPart {
  at::Tensor probabilities;  ///< [n, V_part]: over this part alone; on a CPU in the memory of the logits if they were float32
  at::Tensor lse;            ///< [n], log of the sum of this part's exponentials, float32; -infinity for an empty part
};

/// logits [n, V_part], consumed.
SoftmaxPart softmax_part(const at::Tensor& logits);

/// Rows to treat at once, so that their logits (float32) stay within 64 MiB; at least 16.
std::int64_t cross_entropy_chunk_rows(std::int64_t vocabulary_part);

}  // namespace entune
