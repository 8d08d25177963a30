#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "trainer/kernels/rotary_scaling.h"

namespace entune {

/// cos and sin of position * frequency_i, [T, D/2], float32, with frequency_i = theta^(-2i/D), scaled (Su et al. 2021).
struct RotaryTables {
  at::Tensor cos, sin;
};

RotaryTables rotary_tables(const at::Tensor& positions, std::int64_t head_dim, double theta,
                           const RotaryScaling& scaling = {});

/// Rotates x [T, H, D] in place, in Hugging Face's layout: dimension i turns with i + D/2. `inverse` turns back, which
/// is also the backward. Not differentiable: for tensors that no graph has saved.
void rotate_(at::Tensor& x, const RotaryTables& tables, bool inverse);

}  // namespace entune
