#include "trainer/optim/gradient_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace entune {
namespace {

// float64 copies are made of this many elements at a time.
constexpr std::int64_t kPieceElements = 1 << 20;

/// On the gradients' device, so that a GPU is waited for once and not once a gradient.
at::Tensor sum_of_squares(const std::vector<at::Tensor>& gradients) {
  at::Tensor sum = at::zeros(
      {}, gradients.empty() ? at::TensorOptions(at::kDouble) : gradients.front().options().dtype(at::kDouble));
  for (const at::Tensor& gradient : gradients) {
    const at::Tensor flat = gradient.detach().reshape({-1});
    for (std::int64_t begin = 0; begin < flat.numel(); begin += kPieceElements) {
      const at::Tensor piece = flat.narrow(0, begin, std::min(kPieceElements, flat.numel() - begin)).to(at::kDouble);
      sum.add_(at::dot(piece, piece));
    }
  }
  return sum;
}

}  // namespace

double global_gradient_norm(const std::vector<at::Tensor>& sharded, const std::vector<at::Tensor>& replicated,
                            Communicator& tensor_axis) {
  const at::NoGradGuard no_grad;
  at::Tensor sum = sum_of_squares(sharded).view({1}).cpu();
  tensor_axis.all_reduce(sum, ReduceOp::sum);
  return std::sqrt(sum.item<double>() + sum_of_squares(replicated).item<double>());
}

double clip_gradient_norm(const std::vector<at::Tensor>& sharded, const std::vector<at::Tensor>& replicated,
                          double max_norm, Communicator& tensor_axis) {
  const double norm = global_gradient_norm(sharded, replicated, tensor_axis);
  const double scale = max_norm / (norm + 1e-6);
  if (max_norm == 0.0 || !std::isfinite(norm) || scale >= 1.0) {
    return norm;
  }
  const at::NoGradGuard no_grad;
  for (const std::vector<at::Tensor>* gradients : {&sharded, &replicated}) {
    for (const at::Tensor& gradient : *gradients) {
      gradient.mul_(scale);
    }
  }
  return norm;
}

}  // namespace entune
