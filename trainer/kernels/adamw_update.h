#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace entune {

/// What an AdamW update needs beside its tensors.
struct AdamWStep {
  double lr = 0.0;
  double beta1 = 0.0;
  double beta2 = 0.0;
  double eps = 0.0;
  double weight_decay = 0.0;    ///< decoupled
  std::int64_t number = 1;      ///< of this update, from 1: for the corrections of the moments
  double gradient_scale = 1.0;  ///< on the gradient, before anything else
};

/// The flat tensors [N] of one update, contiguous.
struct AdamWTensors {
  at::Tensor master;         ///< float32, updated
  at::Tensor first_moment;   ///< float32, updated
  at::Tensor second_moment;  ///< float32, updated
  at::Tensor gradient;       ///< float32 or bfloat16; may be overwritten
  at::Tensor value;          ///< bfloat16: becomes the rounded master. Undefined: the master is the parameter itself
};

/// One AdamW update (Loshchilov & Hutter 2019; torch.optim.AdamW's arithmetic), in float32 whatever the gradient is.
void adamw_update(const AdamWTensors& tensors, const AdamWStep& step);

}  // namespace entune
