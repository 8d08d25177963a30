#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace entune {

/// cos and sin of position * theta^(-2i/D), [T, D/2], float32 (Su et al. 2021).
struct RotaryTables {
  at::Tensor cos, sin;
};

RotaryTables rotary_tables(const at::Tensor& positions, std::int64_t head_dim, double theta);

/// Rotates x [T, H, D] in place, in Hugging Face's layout: dimension i turns with i + D/2. `inverse` turns back, which
/// is also the backward. Not differentiable: for tensors that no graph has saved.
void rotate_(at::Tensor& x, const RotaryTables& tables, bool inverse);

}  // namespace entune
