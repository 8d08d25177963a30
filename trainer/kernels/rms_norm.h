#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace entune {

/// y = x * rsqrt(mean(x^2) + eps) * weight over the last dimension (Zhang & Sennrich 2019; Llama's norm). x [T, C] or
/// [T, H, D], weight as long as the last dimension. Statistics are float32 for lower types. Differentiable in both; keeps x and one number a row.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// {sum, rms_norm(sum, weight)} with sum = x + branch: a residual connection and the norm that follows it, whose
/// backward adds the two gradients of `sum` in one place.
std::pair<at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& weight,
                                               double eps);

}  // namespace entune
