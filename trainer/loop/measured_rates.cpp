#include "trainer/loop/measured_rates.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "trainer/kernels/packed_attention.h"
#include "trainer/plan/flop_plan.h"

namespace entune {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSecondsEach = 0.08;
constexpr int kWindows = 3;
constexpr int kMostRuns = 100;

/// Seconds of a call that gives a tensor of its result, after one that is not timed: the middle one of three windows, as
/// other programs may come in between.
double seconds_of(const std::function<at::Tensor()>& call) {
  const auto timed = [&](int runs) {
    const auto begin = Clock::now();
    at::Tensor result;
    for (int i = 0; i < runs; ++i) result = call();
    if (!result.is_cpu()) result.flatten()[0].item();  // waits for the device
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  timed(1);
  const double once = std::max(timed(1), 1e-7);
  const int runs = std::clamp(static_cast<int>(kSecondsEach / kWindows / once), 1, kMostRuns);
  std::array<double, kWindows> seconds{};
  for (double& window : seconds) window = timed(runs) / runs;
  std::ranges::sort(seconds);
  return seconds[kWindows / 2];
}

/// The keys that hold `share` of the sum of all values, the largest first.
template <typename Key>
std::vector<Key> largest(const std::map<Key, double>& values, double share) {
  std::vector<std::pair<double, Key>> sorted;
  double sum = 0.0;
  for (const auto& [key, value] : values) {
    sorted.emplace_back(value, key);
    sum += value;
  }
  std::sort(sorted.rbegin(), sorted.rend());
  std::vector<Key> keys;
  double covered = 0.0;
  for (const auto& [value, key] : sorted) {
    keys.push_back(key);
    covered += value;
    if (covered >= share * sum) break;
  }
  return keys;
}

void measure_products(const OperatorCosts& costs, const c10::TensorOptions& options, WorkRates& rates) {
  std::map<ProductShape, double> flops;
  for (const auto& [shape, times] : costs.products) flops[shape] = shape.flops() * static_cast<double>(times);
  double sum_flops = 0.0, sum_seconds = 0.0;
  for (const ProductShape& shape : largest(flops, 0.97)) {
    const at::Tensor x = at::ones({shape.rows, shape.in}, options), w = at::ones({shape.out, shape.in}, options);
    const double rate = shape.flops() / seconds_of([&] { return at::mm(x, w.t()); });
    rates.flops_per_second_of[shape] = rate;
    sum_flops += flops[shape];
    sum_seconds += flops[shape] / rate;
  }
  rates.flops_per_second = sum_flops > 0.0 ? sum_flops / sum_seconds : 1e9;
}

std::map<int, double> measure_bytes(const std::map<int, double>& bytes, bool in_place,
                                    const c10::TensorOptions& options) {
  std::map<int, double> rates;
  for (const int size : largest(bytes, 0.95)) {
    const double moved = std::exp2(size);
    const auto elements = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(moved / 3.0 / static_cast<double>(options.dtype().itemsize())));
    at::Tensor a = at::ones({elements}, options);
    const at::Tensor b = at::ones({elements}, options);
    rates[size] = moved / seconds_of([&] { return in_place ? a.mul_(b) : at::add(a, b); });
  }
  return rates;
}

void measure_attention(const LlamaConfig& config, int tensor_size, const PackedBatch& batch,
                       const c10::TensorOptions& options, WorkRates& rates) {
  PackedLayout layout{batch.prefix_rows(), batch.leaf_offsets, config.sliding_window};
  layout.prepare_for(options.device());
  const std::int64_t rows = batch.executed_tokens(), heads = config.num_heads / tensor_size,
                     kv_heads = config.num_kv_heads / tensor_size;
  const auto leaf = [&](std::int64_t num_heads) {
    return at::rand({rows, num_heads, config.head_dim}, options).set_requires_grad(true);
  };
  const at::Tensor q = leaf(heads), k = leaf(kv_heads), v = leaf(kv_heads);
  const at::Tensor angles = at::zeros({rows, config.head_dim / 2}, options.dtype(at::kFloat));
  const RotaryTables still{at::ones_like(angles), angles};
  const auto forward = [&] { return packed_attention(q.mul(1.0), k.mul(1.0), v, still, still, layout); };
  const at::Tensor grad = at::ones({rows, heads, config.head_dim}, options);
  const double once = seconds_of([&] {
    const at::NoGradGuard no_grad;
    return forward();
  });
  const double both = seconds_of([&] {
    forward().backward(grad);
    return q.grad();
  });
  PackedBatch whole = batch;  // of a prefix that is shared out, what stands here attends to itself alone
  whole.prefix_tokens = batch.prefix_rows();
  whole.prefix_part.reset();
  const double flops = attention_flops(whole, config) / static_cast<double>(config.num_layers * tensor_size);
  rates.attention_flops_per_second = flops / once;
  rates.attention_backward_flops_per_second = kAttentionBackward * flops / std::max(both - once, 0.1 * once);
}

/// Of rates: the mean is that of the times.
double mean(double a, double b) { return 2.0 / (1.0 / a + 1.0 / b); }

std::map<int, double> mean_of(const std::map<int, double>& a, const std::map<int, double>& b) {
  std::map<int, double> means;
  for (const auto& [key, rate] : a) means[key] = mean(rate, b.at(key));
  return means;
}

}  // namespace

WorkRates measure_work_rates(const StepPlan& plan, const LlamaConfig& config, int tensor_size, const PackedBatch& batch,
                             const c10::TensorOptions& options) {
  OperatorCosts costs = plan.forward;
  costs += plan.backward;
  costs += plan.update;
  WorkRates rates;
  measure_attention(config, tensor_size, batch, options, rates);
  const at::NoGradGuard no_grad;
  measure_products(costs, options, rates);
  rates.new_bytes_per_second = measure_bytes(costs.new_bytes, false, options);
  rates.in_place_bytes_per_second = measure_bytes(costs.in_place_bytes, true, options);
  return rates;
}

WorkRates mean_rates(const WorkRates& a, const WorkRates& b) {
  WorkRates rates;
  for (const auto& [shape, rate] : a.flops_per_second_of)
    rates.flops_per_second_of[shape] = mean(rate, b.flops_per_second_of.at(shape));
  rates.flops_per_second = mean(a.flops_per_second, b.flops_per_second);
  rates.attention_flops_per_second = mean(a.attention_flops_per_second, b.attention_flops_per_second);
  rates.attention_backward_flops_per_second =
      mean(a.attention_backward_flops_per_second, b.attention_backward_flops_per_second);
  rates.new_bytes_per_second = mean_of(a.new_bytes_per_second, b.new_bytes_per_second);
  rates.in_place_bytes_per_second = mean_of(a.in_place_bytes_per_second, b.in_place_bytes_per_second);
  return rates;
}

AxisRates mean_axis(const AxisRates& a, const AxisRates& b) {
  if (a.size == 1) return a;
  return {.size = a.size,
          .latency_seconds = 0.5 * (a.latency_seconds + b.latency_seconds),
          .bytes_per_second = mean(a.bytes_per_second, b.bytes_per_second)};
}

AxisRates measure_axis(Communicator& axis, c10::Device device) {
  AxisRates rates{.size = axis.size()};
  if (axis.size() == 1) return rates;
  const auto seconds = [&](std::int64_t bytes, int runs) {
    at::Tensor tensor = at::zeros({bytes / 4}, at::TensorOptions(device));
    axis.all_reduce(tensor, ReduceOp::sum);
    const auto begin = Clock::now();
    for (int i = 0; i < runs; ++i) axis.all_reduce(tensor, ReduceOp::sum);
    if (!device.is_cpu()) tensor[0].item();
    return std::chrono::duration<double>(Clock::now() - begin).count() / runs;
  };
  constexpr std::int64_t kSmall = 64, kLarge = 4 << 20;
  const double factor = 2.0 * (axis.size() - 1) / axis.size();
  rates.latency_seconds = seconds(kSmall, 100);
  rates.bytes_per_second = kLarge * factor / std::max(1e-9, seconds(kLarge, 8) - rates.latency_seconds);
  return rates;
}

}  // namespace entune
