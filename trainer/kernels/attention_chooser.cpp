#include "trainer/kernels/attention_chooser.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <bit>
#include <limits>
#include <utility>

namespace entune {
namespace {

std::int64_t power_of_two(std::int64_t n) {
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
}

/// The norm of the difference over that of what was expected. NaN where either has one.
double distance(const at::Tensor& found, const at::Tensor& expected) {
  if (found.sizes() != expected.sizes()) return std::numeric_limits<double>::infinity();
  const at::Tensor wide = expected.to(at::kFloat);
  const double norm = wide.norm().item<double>(), difference = found.to(at::kFloat).sub(wide).norm().item<double>();
  return norm > 0.0 ? difference / norm : difference;
}

}  // namespace

AttentionShape attention_shape(const at::Tensor& q, const at::Tensor& k, bool is_causal, bool is_backward) {
  return {.batch = q.size(0),
          .heads = q.size(1),
          .kv_heads = k.size(1),
          .head_dim = q.size(3),
          .rows = power_of_two(q.size(2)),
          .keys = power_of_two(k.size(2)),
          .is_causal = is_causal,
          .is_backward = is_backward};
}

AttentionChooser::AttentionChooser(double tolerance, Timer timer, Log log)
    : tolerance_(tolerance), timer_(std::move(timer)), log_(std::move(log)) {}

bool AttentionChooser::second_is_better(const AttentionShape& s, const std::vector<at::Tensor>& expected,
                                        const Call& first, const Call& second) const {
  const auto say = [&](const std::string& what) {
    log_(fmt::format("attention: the first way stays for {} x {} rows, {} keys, {}/{} heads of {}, "
                     "causal {}, backward {}: {}",
                     s.batch, s.rows, s.keys, s.heads, s.kv_heads, s.head_dim, s.is_causal, s.is_backward, what));
    return false;
  };
  try {
    const std::vector<at::Tensor> found = second();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double apart = distance(found.at(i), expected[i]);
      if (!(apart <= tolerance_)) return say(fmt::format("result {} of the second is {:.2g} apart", i, apart));
    }
    const double of_second = timer_(second), of_first = timer_(first);
    return of_second < of_first;
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    return say(fmt::format("the second failed: {}", what.substr(0, what.find('\n'))));
  }
}

std::vector<at::Tensor> AttentionChooser::run(const AttentionShape& shape, const Call& first, const Call& second) {
  bool takes_second = false;
  {
    const std::lock_guard lock(mutex_);
    const auto known = takes_second_.find(shape);
    if (known == takes_second_.end()) {
      std::vector<at::Tensor> result = first();
      takes_second_[shape] = second_is_better(shape, result, first, second);
      return result;
    }
    takes_second = known->second;
  }
  return takes_second ? second() : first();
}

}  // namespace entune
