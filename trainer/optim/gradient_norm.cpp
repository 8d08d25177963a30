#include "trainer/optim/gradient_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace entune {
namespace {

/// On the gradients' device, so that a GPU is waited for once and not once a gradient.
at::Tensor sum_of_squares(const std::vector<at::Tensor>& gradients) {
  at::Tensor sum = at::zeros(
      {}, gradients.empty() ? at::TensorOptions(at::kDouble) : gradients.front().options().dtype(at::kDouble));
  for (const at::Tensor& gradient : gradients) {
    const at::Tensor flat = gradient.detach().reshape({-1});
    if (!flat.is_cpu()) {
      sum.add_(at::linalg_vector_norm(flat, 2, {}, /*keepdim=*/false, at::kDouble).square_());
      continue;
    }
    for (std::int64_t begin = 0; begin < flat.numel(); begin += kNormPieceElements) {
      const at::Tensor piece =
          flat.narrow(0, begin, std::min(kNormPieceElements, flat.numel() - begin)).to(at::kDouble);
      sum.add_(at::dot(piece, piece));
    }
  }
  return sum;
}

}  // namespace

double global_gradient_norm(const HeldGradients& gradients, Communicator* data_axis, Communicator& tensor_axis) {
  const at::NoGradGuard no_grad;
  at::Tensor squares = at::tensor(
      {sum_of_squares(gradients.sharded).item<double>(), sum_of_squares(gradients.replicated).item<double>()},
      at::kDouble);
  if (data_axis != nullptr) data_axis->all_reduce(squares, ReduceOp::sum);
  at::Tensor of_shards = squares.narrow(0, 0, 1).clone();
  tensor_axis.all_reduce(of_shards, ReduceOp::sum);
  return std::sqrt(of_shards.item<double>() + squares[1].item<double>());
}

double clip_factor(double norm, double max_norm) {
  return max_norm == 0.0 ? 1.0 : std::min(1.0, max_norm / (norm + 1e-6));
}

}  // namespace entune
