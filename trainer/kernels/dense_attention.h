#pragma once

#include <ATen/core/Tensor.h>

namespace entune {

/// Attention of one block of queries over one block of keys, and the number of each row by which such results over
/// different keys merge exactly.
struct DenseAttention {
  at::Tensor out;  ///< [B, H, n, D], the type of q
  at::Tensor lse;  ///< [B, H, n], natural log of the sum of the scores' exponentials; float32 (float64 if q is)
};

/// q [B, H, n, D], k and v [B, K, m, D] (H a multiple of K), scores scaled by 1/sqrt(D). `is_causal`: row i sees the
/// keys up to i. `mask`, if defined, broadcasts to [B, H, n, m] and is added to the scores; every row must see a key.
/// On a CPU PyTorch's flash operator; elsewhere plain products with float32 scores, for what the flash operators of
/// GPUs do not take (float32, masks).
DenseAttention dense_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal,
                               const at::Tensor& mask = {});

struct AttentionGradients {
  at::Tensor q, k, v;  ///< in the shapes of the inputs
};

/// Gradients for the output's gradient `grad`. `result` may have been merged with results over other keys: these are
/// then this block's parts of the gradients of the whole.
AttentionGradients dense_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal,
                                            const at::Tensor& mask = {});

/// The plain form on any device: what GPUs run where their flash operators do not fit, and what tests hold against it.
DenseAttention plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal,
                               const at::Tensor& mask = {});
AttentionGradients plain_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal,
                                            const at::Tensor& mask = {});

}  // namespace entune
