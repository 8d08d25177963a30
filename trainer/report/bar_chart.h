#pragma once

#include <optional>
#include <string>
#include <vector>

namespace entune {

/// A stretch of a bar. `style` is the CSS class that colours it (report_style.h).
struct BarSegment {
  double value = 0.0;  ///< not negative
  std::string style;
  std::string note;  ///< shown when pointed at, and to screen readers
};

/// A horizontal bar of stretches end to end, with an interval drawn over it and a text behind it.
struct Bar {
  std::vector<BarSegment> segments;
  std::optional<double> low;
  std::optional<double> high;
  std::string text;
};

/// Bars under one label.
struct BarGroup {
  std::string label;
  std::vector<Bar> bars;
};

struct BarChartOptions {
  std::string title;
  std::string x_name;
  std::optional<double> x_max;  ///< end of the axis; else the largest value
};

/// One <svg> element, 760 wide and as high as the bars need. "" without groups. Labels that are too long are cut, with
/// the whole in their title.
std::string bar_chart(const std::vector<BarGroup>& groups, const BarChartOptions& options);

}  // namespace entune
