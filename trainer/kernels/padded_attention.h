#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "trainer/kernels/dense_attention.h"

namespace entune {

// Attention by an operator that has to prepare itself for every number of rows: zeros stand behind the rows, so that
// there are few numbers, and what comes of them is cut off. Exact: rows behind the last query have no gradient, and rows
// stand behind the last key only if attention is causal, where no query sees them.

/// The rows that are given for n: at most an eighth more (from 64 on), eight numbers between two powers of two.
std::int64_t padded_rows(std::int64_t n);

/// As dense_attention without a mask, and its backward.
using Attend =
    std::function<DenseAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal)>;
using AttendBackward =
    std::function<AttentionGradients(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                     const at::Tensor& v, const DenseAttention& result, bool is_causal)>;

DenseAttention padded_attention(const Attend& attend, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                bool is_causal);
AttentionGradients padded_attention_backward(const AttendBackward& backward, const at::Tensor& grad,
                                             const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                             const DenseAttention& result, bool is_causal);

}  // namespace entune
