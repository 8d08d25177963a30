#pragma once

#include <ATen/core/Tensor.h>

namespace entune {

/// Merges attention of the same queries over two sets of keys, as if it had been one softmax over both (FlashInfer's
/// merge of states): out [n, H, D] and lse [n, H] become those over both, in place; `other_out` and `other_lse` have
/// the same shapes. Any strides but for D, which lies together. Computed in float32 (float64 for float64).
///
///   lse' = log(e^lse + e^other_lse),  out' = out + (other_out - out) / (1 + e^(lse - other_lse))
void merge_attention_(at::Tensor& out, at::Tensor& lse, const at::Tensor& other_out, const at::Tensor& other_lse);

}  // namespace entune
