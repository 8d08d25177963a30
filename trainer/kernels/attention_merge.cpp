#include "trainer/kernels/attention_merge.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "trainer/kernels/cuda_kernels.h"
#include "trainer/kernels/meta_kernels.h"

namespace entune {

void merge_attention_(at::Tensor& out, at::Tensor& lse, const at::Tensor& other_out, const at::Tensor& other_lse) {
  const at::NoGradGuard no_grad;
  if (out.is_cuda() && out.scalar_type() != at::kDouble) return merge_attention_cuda_(out, lse, other_out, other_lse);
  if (stands_for_gpu(out)) return touch_meta_(out);
  const at::Tensor share = other_lse.sub(lse).sigmoid_().unsqueeze(-1);
  if (out.scalar_type() == share.scalar_type()) {
    out.lerp_(other_out, share);
  } else {
    out.copy_(out.to(share.scalar_type()).lerp_(other_out.to(share.scalar_type()), share));
  }
  at::logaddexp_out(lse, lse, other_lse);
}

}  // namespace entune
