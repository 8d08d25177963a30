#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/kernels/dense_attention.h"

namespace entune {

// dense_attention by PyTorch's fused operators for GPUs, flash and cuDNN. Of the two the faster one is taken, by
// measurement at a shape's first call (AttentionChooser); flash where cuDNN fails or says something else, and always
// under at::globalContext().deterministicAlgorithms(). ENTUNE_ATTENTION=flash or =cudnn in the environment pins one,
// =auto is the default.

/// Whether flash takes heads of `head_dim` like x: bfloat16 or float16 on a GPU, a multiple of 8 up to 256.
bool fused_attention_takes(const at::Tensor& x, std::int64_t head_dim);

/// q [B, H, n, D], k and v [B, K, m, D]; with is_causal n = m.
DenseAttention fused_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal);
AttentionGradients fused_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal);

/// The two, for measurements and tests.
DenseAttention flash_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal);
AttentionGradients flash_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal);
/// cuDNN plans every shape anew, for some tenths of a second: rows are padded.
DenseAttention cudnn_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal);
AttentionGradients cudnn_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal);

}  // namespace entune
