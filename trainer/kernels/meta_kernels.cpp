#include "trainer/kernels/meta_kernels.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace entune {
namespace {

thread_local bool stand_for_gpu = false;

}  // namespace

MetaStandsForGpu::MetaStandsForGpu() { stand_for_gpu = true; }
MetaStandsForGpu::~MetaStandsForGpu() { stand_for_gpu = false; }

bool stands_for_gpu(const at::Tensor& x) { return x.is_meta() && stand_for_gpu; }

NormedRows add_rms_norm_meta(const at::Tensor& x, const at::Tensor& branch) {
  std::vector<std::int64_t> per_row = x.sizes().vec();
  per_row.back() = 1;
  const at::Tensor rstd = at::empty(per_row, x.options().dtype(at::kFloat));
  const at::Tensor sum = branch.defined() ? at::add(x, branch) : x;
  return {sum, at::neg(sum), rstd};
}

at::Tensor rms_norm_backward_meta(const at::Tensor& dy, const at::Tensor& x) { return at::mul(dy, x); }

at::Tensor swiglu_meta(const at::Tensor& gate, const at::Tensor& up) { return at::mul(gate, up); }

std::pair<at::Tensor, at::Tensor> swiglu_backward_meta(const at::Tensor& dy, const at::Tensor& gate) {
  const at::Tensor d_up = at::mul(dy, gate);
  touch_meta_(dy);
  return {dy, d_up};
}

std::pair<at::Tensor, at::Tensor> read_logits_meta(const at::Tensor& logits) {
  const at::Tensor lse = at::empty({logits.size(0)}, logits.options().dtype(at::kFloat));
  at::amax(logits, -1);
  return {lse, at::empty_like(lse)};
}

void touch_meta_(const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  x.neg_();
}

}  // namespace entune
