#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "trainer/kernels/adamw_update.h"

namespace entune {

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.0;  ///< decoupled
  double clip_norm = 1.0;     ///< global gradient norm; 0: no clipping
};

/// AdamW over flat tensors, those of ParameterBuckets::Part: what a rank updates. Float32 master weights and moments
/// for values of a lower precision; a float32 value is its own master.
class AdamW {
 public:
  /// A value and its gradient, contiguous, of one shape and dtype. Both keep their memory from step to step.
  struct Part {
    at::Tensor value, gradient;
  };
  AdamW(const std::vector<Part>& parts, AdamWOptions options);

  /// One update at learning rate `lr` by the gradients times `gradient_scale`. The gradients may be overwritten.
  void step(double lr, double gradient_scale);
  std::int64_t num_steps() const { return num_steps_; }
  /// The states of the parts, in their order, which share their memory: for who saves or refills them.
  const std::vector<AdamWTensors>& states() const { return parts_; }
  /// Goes on from states that were refilled after this number of updates: rounds the values from the masters.
  void resume(std::int64_t num_steps);
  /// float32 masters, first and second moments, in bytes.
  std::int64_t state_bytes() const;

 private:
  std::vector<AdamWTensors> parts_;
  AdamWOptions options_;
  std::int64_t num_steps_ = 0;
};

}  // namespace entune
