#pragma once

#include <string>
#include <vector>

namespace entune {

/// A scale from data to pixels, and the round numbers to mark on it.
class ChartAxis {
 public:
  /// Data [low, high] (any order, may be equal) on pixels [from, to]. `logarithmic` needs low > 0; ticks then are 1, 2,
  /// 5 times powers of ten, else multiples of such a step, about `num_ticks` of them.
  ChartAxis(double low, double high, double from, double to, bool logarithmic = false, int num_ticks = 5);

  double pixel(double value) const;
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  double position(double value) const;

  double low_, high_, from_, to_;
  bool logarithmic_;
  std::vector<double> ticks_;
};

/// A number for a tick: as few digits as tell it from its neighbours, 12000 as 12k.
std::string tick_text(double value);

}  // namespace entune
