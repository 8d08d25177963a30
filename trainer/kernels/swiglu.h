#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace entune {

// silu(gate) * up (Shazeer 2020), element by element. Plain functions: the autograd function that uses them is
// swiglu_project.

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

/// {d gate, d up} for the gradient `grad` of the product; may reuse grad's memory.
std::pair<at::Tensor, at::Tensor> swiglu_backward(at::Tensor grad, const at::Tensor& gate, const at::Tensor& up);

}  // namespace entune
