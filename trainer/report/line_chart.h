#pragma once

#include <string>
#include <utility>
#include <vector>

namespace entune {

/// A line through points in order of x. `style` is the CSS class (report_style.h) that colours it.
struct LineSeries {
  std::string name;
  std::string style;
  std::vector<std::pair<double, double>> points;  ///< points that are not finite are left out
  bool markers = false;                           ///< a dot on each point
};

struct LineChartOptions {
  std::string title;
  std::string x_name;
  std::string y_name;
  bool y_logarithmic = false;  ///< ignored unless all values are above 0
  bool y_from_zero = true;     ///< of a linear scale
};

/// One <svg> element, 480 by 270, that scales with the page and carries its title and a description. "" without points.
/// Long lines are thinned to the mean of neighbours.
std::string line_chart(const std::vector<LineSeries>& series, const LineChartOptions& options);

}  // namespace entune
