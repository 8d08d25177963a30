#pragma once

#include <cstdint>

namespace entune {

struct ScheduleOptions {
  std::int64_t warmup_steps = 5;
  enum class Decay { linear, cosine, constant } decay = Decay::linear;
  double final_fraction = 0.1;  ///< of the peak, reached at the last step; of no effect where decay is constant
};

/// Factor on the peak learning rate at `step` (from 0) of `total_steps` (above 0). Warm-up: (step + 1) / warmup_steps,
/// capped at 1. Decay runs from 1 at step 0 to final_fraction at total_steps and multiplies the warm-up (so that the
/// baseline script's schedule is `linear`); past the end it stays.
double learning_rate_factor(const ScheduleOptions& options, std::int64_t step, std::int64_t total_steps);

}  // namespace entune
