#include "trainer/loop/matmul_speed.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>

namespace entune {
namespace {

constexpr int kRounds = 8;

}  // namespace

double measure_matmul(const ProductShape& shape, const c10::TensorOptions& options, double seconds) {
  using Clock = std::chrono::steady_clock;
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::ones({shape.rows, shape.in}, options);
  const at::Tensor weight = at::ones({shape.out, shape.in}, options);
  at::Tensor y = at::empty({shape.rows, shape.out}, options);
  const auto time_of = [&](std::int64_t products) {
    const auto begin = Clock::now();
    for (std::int64_t i = 0; i < products; ++i) at::mm_out(y, x, weight.t());
    y[0][0].item();  // waits for a device that works behind the host's back
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  time_of(1);
  const double once = std::max(time_of(1), 1e-6);
  const auto products = std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds / kRounds / once));
  double fastest = once * static_cast<double>(products);
  for (int round = 0; round < kRounds; ++round) fastest = std::min(fastest, time_of(products));
  return shape.flops() * static_cast<double>(products) / fastest;
}

}  // namespace entune
