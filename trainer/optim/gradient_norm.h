#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "distributed/communicator.h"

namespace entune {

/// The 2-norm of the whole model's gradient, the same on every rank of `tensor_axis`. `sharded`: this rank's parts,
/// whose squares are summed over the axis (padding counts, and is zero); `replicated`: gradients that every rank of the
/// axis holds alike, counted once. All are summed over the data axis already. Squares are summed in float64. Collective
/// over the axis.
double global_gradient_norm(const std::vector<at::Tensor>& sharded, const std::vector<at::Tensor>& replicated,
                            Communicator& tensor_axis);

/// Scales the gradients in place by min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ does, and
/// returns the norm before that. max_norm 0: no clipping. A norm that is not finite leaves the gradients as they are:
/// the caller decides what becomes of the step.
double clip_gradient_norm(const std::vector<at::Tensor>& sharded, const std::vector<at::Tensor>& replicated,
                          double max_norm, Communicator& tensor_axis);

}  // namespace entune
