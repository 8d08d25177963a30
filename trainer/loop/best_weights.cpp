#include "trainer/loop/best_weights.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

namespace entune {

bool BestWeights::offer(double score, double loss) {
  const std::pair<double, double> offered(score, -loss);
  if (!kept_.empty() && !(offered > best_)) return false;
  best_ = offered;
  kept_.clear();
  for (const at::Tensor& parameter : parameters_) kept_.push_back(parameter.detach().clone());
  return true;
}

void BestWeights::restore() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < kept_.size(); ++i) parameters_[i].copy_(kept_[i]);
}

void BestWeights::resume(std::vector<at::Tensor> kept, std::pair<double, double> standing) {
  kept_ = std::move(kept);
  best_ = standing;
}

}  // namespace entune
