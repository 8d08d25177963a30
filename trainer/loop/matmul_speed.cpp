#include "trainer/loop/matmul_speed.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace entune {
namespace {

constexpr int kRounds = 8;

bool is_for_all_rows(const std::string& name) {
  return name.ends_with(".q_proj.weight") || name.ends_with(".k_proj.weight") || name.ends_with(".v_proj.weight");
}

}  // namespace

MatmulWeights matmul_weights(DecoderModel& model) {
  const LlamaConfig& config = model.config();
  const std::string last_block = fmt::format("model.layers.{}.", config.num_layers - 1);
  MatmulWeights weights;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.is_adapter || parameter.full_shape.size() != 2) continue;
    const bool is_embedding = parameter.name == "model.embed_tokens.weight";
    if (is_embedding && !config.tie_word_embeddings) continue;
    const bool is_block = parameter.name.starts_with("model.layers.");
    const bool for_loss_alone =
        !is_block || (parameter.name.starts_with(last_block) && !is_for_all_rows(parameter.name));
    (for_loss_alone ? weights.loss_rows : weights.all_rows) += parameter.full_shape[0] * parameter.full_shape[1];
  }
  return weights;
}

double measure_matmul(const MatmulShape& shape, const c10::TensorOptions& options, double seconds) {
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
  return 2.0 * static_cast<double>(shape.rows * shape.in) * static_cast<double>(shape.out * products) / fastest;
}

}  // namespace entune
