#include "trainer/report/chart_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace entune {
namespace {

/// The smallest of 1, 2, 5 times a power of ten that is at least `least`.
double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1.0 - 1e-9)) return factor * power;
  }
  return 10.0 * power;
}

std::vector<double> linear_ticks(double low, double high, int num_ticks) {
  const double step = round_step((high - low) / num_ticks);
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i += 1.0) ticks.push_back(i * step);
  return ticks;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  std::vector<double> ticks;
  for (double power = std::pow(10.0, std::floor(std::log10(low))); power <= high; power *= 10.0) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * power;
      if (tick >= low * (1.0 - 1e-9) && tick <= high * (1.0 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

}  // namespace

ChartAxis::ChartAxis(double low, double high, double from, double to, bool logarithmic, int num_ticks)
    : low_(std::min(low, high)), high_(std::max(low, high)), from_(from), to_(to), logarithmic_(logarithmic) {
  if (high_ - low_ <= 1e-12 * std::abs(high_)) high_ = low_ == 0.0 ? 1.0 : low_ + std::abs(low_);
  ticks_ = logarithmic_ ? logarithmic_ticks(low_, high_) : linear_ticks(low_, high_, num_ticks);
}

double ChartAxis::position(double value) const {
  if (!logarithmic_) return (value - low_) / (high_ - low_);
  return (std::log(value) - std::log(low_)) / (std::log(high_) - std::log(low_));
}

double ChartAxis::pixel(double value) const { return from_ + std::clamp(position(value), 0.0, 1.0) * (to_ - from_); }

std::string tick_text(double value) {
  if (std::abs(value) < 1e-12) return "0";
  if (std::abs(value) >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (std::abs(value) >= 1e4) return fmt::format("{:.3g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

}  // namespace entune
