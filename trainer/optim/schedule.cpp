#include "trainer/optim/schedule.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace entune {
namespace {

/// From 1 at the start (position 0) to 0 at the end (position 1).
double decay(ScheduleOptions::Decay shape, double position) {
  switch (shape) {
    case ScheduleOptions::Decay::linear:
      return 1.0 - position;
    case ScheduleOptions::Decay::cosine:
      return 0.5 * (1.0 + std::cos(std::numbers::pi * position));
    case ScheduleOptions::Decay::constant:
      return 1.0;
  }
  TORCH_CHECK(false, "unknown decay ", static_cast<int>(shape));
}

}  // namespace

double learning_rate_factor(const ScheduleOptions& options, std::int64_t step, std::int64_t total_steps) {
  TORCH_CHECK(step >= 0 && total_steps > 0, "expected a step of 0 or more and a total above 0, found ", step, " of ",
              total_steps);
  const double warmup = options.warmup_steps <= 0
                            ? 1.0
                            : std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps));
  const double position = std::min(1.0, static_cast<double>(step) / static_cast<double>(total_steps));
  return warmup * (options.final_fraction + (1.0 - options.final_fraction) * decay(options.decay, position));
}

}  // namespace entune
