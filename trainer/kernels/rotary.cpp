#include "trainer/kernels/rotary.h"

#include <ATen/ATen.h>

namespace entune {

RotaryTables rotary_tables(const at::Tensor& positions, std::int64_t head_dim, double theta) {
  const at::Tensor exponents =
      at::arange(0, head_dim, 2, at::TensorOptions(at::kDouble)).div_(static_cast<double>(head_dim));
  const at::Tensor frequencies = at::pow(theta, exponents).reciprocal_().to(positions.device());
  const at::Tensor angles = at::outer(positions.to(at::kDouble), frequencies);
  return {angles.cos().to(at::kFloat), angles.sin().to(at::kFloat)};
}

void rotate_(at::Tensor& x, const RotaryTables& tables, bool inverse) {
  const std::int64_t half = x.size(2) / 2;
  const bool narrow_type = x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf;
  const at::Tensor wide = narrow_type ? x.to(at::kFloat) : x;
  const at::Tensor cos = tables.cos.unsqueeze(1), sin = tables.sin.unsqueeze(1);
  at::Tensor first = wide.narrow(2, 0, half), second = wide.narrow(2, half, half);
  const double sign = inverse ? -1.0 : 1.0;
  const at::Tensor turned = first.mul(cos).addcmul_(second, sin, -sign);
  second.mul_(cos).addcmul_(first, sin, sign);
  first.copy_(turned);
  if (narrow_type) x.copy_(wide);
}

}  // namespace entune
