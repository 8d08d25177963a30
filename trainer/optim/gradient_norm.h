#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "distributed/communicator.h"

namespace entune {

/// Gradients by how the tensor axis holds them.
struct HeldGradients {
  std::vector<at::Tensor> sharded;     ///< this rank's parts (padding counts, and is zero)
  std::vector<at::Tensor> replicated;  ///< held alike by every rank of the tensor axis, counted once
};

/// On CPUs float64 copies are made of this many elements at a time.
constexpr std::int64_t kNormPieceElements = 1 << 20;

/// The 2-norm of the whole model's gradient, the same on every rank of the two axes. Gradients are summed over the data
/// axis already; `data_axis`: its ranks hold a part of them each, null: all of them. Squares are summed in float64.
/// Collective over the axes.
double global_gradient_norm(const HeldGradients& gradients, Communicator* data_axis, Communicator& tensor_axis);

/// The factor that torch.nn.utils.clip_grad_norm_ scales gradients of this norm by: min(1, max_norm / (norm + 1e-6)).
/// max_norm 0: 1.
double clip_factor(double norm, double max_norm);

}  // namespace entune
