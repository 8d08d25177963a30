#include "trainer/kernels/swiglu.h"

#include <ATen/ATen.h>

#include "trainer/kernels/cuda_kernels.h"
#include "trainer/kernels/meta_kernels.h"

namespace entune {

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  if (stands_for_gpu(gate)) return swiglu_meta(gate, up);
  return has_cuda_kernels(gate) ? swiglu_cuda(gate, up) : at::silu(gate).mul_(up);
}

std::pair<at::Tensor, at::Tensor> swiglu_backward(at::Tensor grad, const at::Tensor& gate, const at::Tensor& up) {
  if (has_cuda_kernels(gate)) return swiglu_backward_cuda(grad, gate, up);
  if (stands_for_gpu(gate)) return swiglu_backward_meta(grad, gate);
  at::Tensor d_up = at::silu(gate).mul_(grad);
  grad.mul_(up);
  return {at::silu_backward(grad, gate), d_up};
}

}  // namespace entune
