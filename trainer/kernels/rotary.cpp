#include "trainer/kernels/rotary.h"

#include <ATen/ATen.h>

#include <numbers>

#include "trainer/kernels/cuda_kernels.h"
#include "trainer/kernels/meta_kernels.h"

namespace entune {

namespace {

at::Tensor scaled(const at::Tensor& frequencies, const RotaryScaling& scaling) {
  switch (scaling.type) {
    case RotaryScaling::Type::none:
      return frequencies;
    case RotaryScaling::Type::linear:
      return frequencies.div(scaling.factor);
    case RotaryScaling::Type::llama3: {
      // The share of a frequency that stays as it is: 0 for wavelengths (2 pi / frequency) that are stretched, 1 for
      // those that are kept.
      const at::Tensor kept = frequencies.mul(scaling.original_positions / (2.0 * std::numbers::pi))
                                  .sub_(scaling.low_frequency_factor)
                                  .div_(scaling.high_frequency_factor - scaling.low_frequency_factor)
                                  .clamp_(0.0, 1.0);
      return frequencies.mul(kept).add_(frequencies.div(scaling.factor).mul_(kept.neg().add_(1.0)));
    }
  }
  TORCH_CHECK(false, "unknown rotary scaling");
}

}  // namespace

RotaryTables rotary_tables(const at::Tensor& positions, std::int64_t head_dim, double theta,
                           const RotaryScaling& scaling) {
  const at::Tensor exponents =
      at::arange(0, head_dim, 2, at::TensorOptions(at::kDouble)).div_(static_cast<double>(head_dim));
  const at::Tensor frequencies = scaled(at::pow(theta, exponents).reciprocal_(), scaling).to(positions.device());
  const at::Tensor angles = at::outer(positions.to(at::kDouble), frequencies);
  return {angles.cos().to(at::kFloat), angles.sin().to(at::kFloat)};
}

void rotate_(at::Tensor& x, const RotaryTables& tables, bool inverse) {
  if (has_cuda_kernels(x)) return rotate_cuda_(x, tables.cos, tables.sin, inverse);
  if (stands_for_gpu(x)) return touch_meta_(x);
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
