#include "trainer/kernels/adamw_update.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "trainer/kernels/cuda_kernels.h"
#include "trainer/kernels/meta_kernels.h"

namespace entune {

void adamw_update(const AdamWTensors& t, const AdamWStep& step) {
  const at::NoGradGuard no_grad;
  if (has_cuda_kernels(t.master)) return adamw_update_cuda(t, step);
  if (stands_for_gpu(t.master)) return touch_meta_(t.master);
  const at::Tensor gradient = t.gradient.to(at::kFloat);
  if (step.gradient_scale != 1.0) gradient.mul_(step.gradient_scale);
  const at::Tensor number = at::full({}, static_cast<double>(step.number), t.master.options());
  at::_fused_adamw_({t.master}, {gradient}, {t.first_moment}, {t.second_moment}, /*max_exp_avg_sqs=*/{}, {number},
                    step.lr, step.beta1, step.beta2, step.weight_decay, step.eps, /*amsgrad=*/false,
                    /*maximize=*/false);
  if (t.value.defined()) t.value.copy_(t.master);
}

}  // namespace entune
