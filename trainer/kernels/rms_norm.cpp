#include "trainer/kernels/rms_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "trainer/kernels/cuda_kernels.h"
#include "trainer/kernels/meta_kernels.h"

namespace entune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor widened(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat); }

/// 1 / rms of each row: the last dimension becomes 1.
at::Tensor reciprocal_rms(const at::Tensor& x, double eps) {
  const at::Tensor norm = at::linalg_vector_norm(widened(x), 2, at::IntArrayRef{-1}, /*keepdim=*/true);
  return norm.mul_(norm).div_(x.size(-1)).add_(eps).rsqrt_();
}

at::Tensor normalize(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd) {
  return widened(x).mul(rstd).mul_(weight).to(x.scalar_type());
}

/// {sum, norm of sum, 1 / rms} with sum = x + branch; an undefined branch adds nothing.
NormedRows norm_forward(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& weight, double eps) {
  if (has_cuda_kernels(x)) return add_rms_norm_cuda(x, branch, weight, eps);
  if (stands_for_gpu(x)) return add_rms_norm_meta(x, branch);
  const at::Tensor sum = branch.defined() ? x.add(branch) : x;
  const at::Tensor rstd = reciprocal_rms(sum, eps);
  return {sum, normalize(sum, weight, rstd), rstd};
}

struct NormGradients {
  at::Tensor x, weight;
};

/// dx = rstd * (g - x * rstd^2 * mean(g * x)) + d_sum with g = dy * weight; dw = sum over rows of dy * x * rstd, if it
/// is needed. An undefined d_sum adds nothing.
NormGradients norm_backward(const at::Tensor& grad, const at::Tensor& d_sum, const at::Tensor& x_in,
                            const at::Tensor& weight, const at::Tensor& rstd, bool needs_weight) {
  const auto weight_gradient = [&](const at::Tensor& product) {
    return product.mul_(rstd).flatten(0, -2).sum(0).to(weight.scalar_type());
  };
  if (has_cuda_kernels(x_in) || stands_for_gpu(x_in)) {
    return {stands_for_gpu(x_in) ? rms_norm_backward_meta(grad, x_in)
                                 : rms_norm_backward_cuda(grad, d_sum, x_in, weight, rstd),
            needs_weight ? weight_gradient(widened(grad).mul(widened(x_in))) : at::Tensor()};
  }
  const at::Tensor x = widened(x_in);
  const at::Tensor dy = widened(grad);
  at::Tensor dx = dy.mul(weight);
  at::Tensor product = dx.mul(x);
  const at::Tensor mean = product.sum(-1, /*keepdim=*/true).div_(x.size(-1));
  const at::Tensor coefficient = rstd.pow(3).mul_(mean).neg_();
  dx.mul_(rstd).addcmul_(x, coefficient);
  at::Tensor dw;
  if (needs_weight) {
    at::mul_out(product, dy, x);
    dw = weight_gradient(product);
  }
  at::Tensor rounded = dx.to(x_in.scalar_type());
  return {d_sum.defined() ? rounded.add_(d_sum) : rounded, dw};
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, double eps) {
    const NormedRows normed = norm_forward(x, {}, weight, eps);
    ctx->save_for_backward({x, weight, normed.rstd});
    return normed.y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    auto [dx, dw] = norm_backward(grads[0], {}, saved[0], saved[1], saved[2], ctx->needs_input_grad(1));
    return {dx, dw, {}};
  }
};

class AddRmsNorm : public torch::autograd::Function<AddRmsNorm> {
 public:
  static variable_list forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& branch,
                               const at::Tensor& weight, double eps) {
    const NormedRows normed = norm_forward(x, branch, weight, eps);
    ctx->save_for_backward({normed.sum, weight, normed.rstd});
    ctx->set_materialize_grads(false);
    return {normed.sum, normed.y};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    if (!grads[1].defined()) return {grads[0], grads[0], {}, {}};
    auto [dx, dw] = norm_backward(grads[1], grads[0], saved[0], saved[1], saved[2], ctx->needs_input_grad(2));
    return {dx, dx, dw, {}};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return RmsNorm::apply(x, weight, eps);
}

std::pair<at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& weight,
                                               double eps) {
  variable_list outputs = AddRmsNorm::apply(x, branch, weight, eps);
  return {outputs[0], outputs[1]};
}

}  // namespace entune
