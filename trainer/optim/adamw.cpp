#include "trainer/optim/adamw.h"

#include <ATen/ATen.h>

#include <utility>

namespace entune {

AdamW::AdamW(const std::vector<Part>& parts, AdamWOptions options) : options_(options) {
  for (const Part& part : parts) {
    TORCH_CHECK(part.value.is_contiguous() && part.gradient.is_contiguous() &&
                    part.value.sizes() == part.gradient.sizes() &&
                    part.value.scalar_type() == part.gradient.scalar_type(),
                "expected a value and a gradient of one shape and dtype, contiguous; found ", part.value.sizes(), " ",
                part.value.scalar_type(), " and ", part.gradient.sizes(), " ", part.gradient.scalar_type());
    AdamWTensors tensors;
    const bool is_master = part.value.scalar_type() == at::kFloat;
    tensors.master = is_master ? part.value : part.value.to(at::kFloat);
    tensors.first_moment = at::zeros_like(tensors.master);
    tensors.second_moment = at::zeros_like(tensors.master);
    tensors.gradient = part.gradient;
    if (!is_master) tensors.value = part.value;
    parts_.push_back(std::move(tensors));
  }
}

void AdamW::step(double lr, double gradient_scale) {
  ++num_steps_;
  const AdamWStep step{.lr = lr,
                       .beta1 = options_.beta1,
                       .beta2 = options_.beta2,
                       .eps = options_.eps,
                       .weight_decay = options_.weight_decay,
                       .number = num_steps_,
                       .gradient_scale = gradient_scale};
  for (const AdamWTensors& part : parts_) adamw_update(part, step);
}

void AdamW::resume(std::int64_t num_steps) {
  num_steps_ = num_steps;
  for (const AdamWTensors& part : parts_) {
    at::Tensor value = part.value;
    if (value.defined()) value.copy_(part.master);
  }
}

std::int64_t AdamW::state_bytes() const {
  std::int64_t bytes = 0;
  for (const AdamWTensors& part : parts_) {
    const std::int64_t each = static_cast<std::int64_t>(part.master.nbytes());
    bytes += part.value.defined() ? 3 * each : 2 * each;
  }
  return bytes;
}

}  // namespace entune
