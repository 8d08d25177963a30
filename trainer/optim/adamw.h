#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace entune {

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.0;  ///< decoupled
  double clip_norm = 1.0;     ///< global gradient norm; 0: no clipping
};

/// AdamW (Loshchilov & Hutter 2019; torch.optim.AdamW's arithmetic) with float32 master weights and states for
/// parameters of a lower precision. A float32 parameter is its own master.
class AdamW {
 public:
  AdamW(std::vector<at::Tensor> parameters, AdamWOptions options);

  /// One update at learning rate `lr`; gradients are the final ones (summed, divided, clipped). Every parameter must
  /// have one.
  void step(double lr);
  /// Forgets the gradients (they become undefined, as in PyTorch).
  void zero_grad();
  std::int64_t num_steps() const { return num_steps_; }

 private:
  std::vector<at::Tensor> parameters_;
  AdamWOptions options_;
  std::vector<at::Tensor> masters_, first_moments_, second_moments_;
  std::int64_t num_steps_ = 0;
};

}  // namespace entune
