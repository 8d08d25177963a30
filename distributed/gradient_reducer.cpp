#include "distributed/gradient_reducer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

namespace entune {

GradientReducer::GradientReducer(std::vector<at::Tensor> parameters, Communicator& group, std::int64_t bucket_bytes)
    : parameters_(std::move(parameters)), group_(group) {
  TORCH_CHECK(bucket_bytes > 0, "expected a bucket size above 0 bytes, found ", bucket_bytes);
  std::int64_t filled_bytes = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    TORCH_CHECK(parameters_[i].is_leaf() && parameters_[i].requires_grad(),
                "expected parameters that are trained; number ", i, " is not");
    const std::int64_t bytes = parameters_[i].numel() * static_cast<std::int64_t>(sizeof(float));
    if (buckets_.empty() || filled_bytes + bytes > bucket_bytes) {
      buckets_.emplace_back();
      filled_bytes = 0;
    }
    buckets_.back().push_back(i);
    filled_bytes += bytes;
  }
}

void GradientReducer::reduce() {
  const at::NoGradGuard no_grad;
  for (const at::Tensor& parameter : parameters_) {
    if (!parameter.grad().defined()) {
      parameter.mutable_grad() = at::zeros_like(parameter);
    }
  }
  if (group_.size() == 1) {
    return;
  }
  for (const std::vector<std::size_t>& bucket : buckets_) {
    std::vector<at::Tensor> parts;
    for (const std::size_t i : bucket) {
      parts.push_back(parameters_[i].grad().reshape({-1}).to(at::kFloat));
    }
    at::Tensor sums = at::cat(parts);
    group_.all_reduce(sums, ReduceOp::sum);
    std::int64_t begin = 0;
    for (const std::size_t i : bucket) {
      const at::Tensor gradient = parameters_[i].grad();
      gradient.copy_(sums.narrow(0, begin, gradient.numel()).view(gradient.sizes()));
      begin += gradient.numel();
    }
  }
}

}  // namespace entune
