#include "trainer/kernels/swiglu.h"

#include <ATen/ATen.h>

namespace entune {

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate).mul_(up); }

std::pair<at::Tensor, at::Tensor> swiglu_backward(at::Tensor grad, const at::Tensor& gate, const at::Tensor& up) {
  at::Tensor d_up = at::silu(gate).mul_(grad);
  grad.mul_(up);
  return {at::silu_backward(grad, gate), d_up};
}

}  // namespace entune
