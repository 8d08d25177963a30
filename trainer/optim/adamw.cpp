#include "trainer/optim/adamw.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

namespace entune {

AdamW::AdamW(std::vector<at::Tensor> parameters, AdamWOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const at::Tensor& parameter : parameters_) {
    TORCH_CHECK(parameter.is_leaf() && parameter.requires_grad(), "expected parameters that are trained");
    // to() copies only where the dtype differs.
    masters_.push_back(parameter.detach().to(at::kFloat));
    first_moments_.push_back(at::zeros_like(masters_.back()));
    second_moments_.push_back(at::zeros_like(masters_.back()));
  }
}

void AdamW::step(double lr) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    TORCH_CHECK(parameters_[i].grad().defined(), "expected a gradient for every parameter, found none for number ", i);
    // On GPUs the fused update wants all strides equal.
    gradients.push_back(parameters_[i].grad().to(at::kFloat).contiguous());
  }
  ++num_steps_;
  if (parameters_.empty()) {
    return;
  }
  const at::Tensor step = at::full({}, static_cast<double>(num_steps_), masters_.front().options());
  const std::vector<at::Tensor> steps(parameters_.size(), step);
  at::_fused_adamw_(masters_, gradients, first_moments_, second_moments_, /*max_exp_avg_sqs=*/{}, steps, lr,
                    options_.beta1, options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                    /*maximize=*/false);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].scalar_type() != at::kFloat) {
      parameters_[i].copy_(masters_[i]);
    }
  }
}

void AdamW::zero_grad() {
  for (const at::Tensor& parameter : parameters_) {
    parameter.mutable_grad() = at::Tensor();
  }
}

}  // namespace entune
