#include "trainer/report/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "trainer/report/chart_axis.h"
#include "trainer/report/html_text.h"

namespace entune {
namespace {

constexpr double kWidth = 480, kHeight = 270, kLeft = 52, kRight = 12, kTop = 14, kBottom = 42;
constexpr std::size_t kMostPoints = 240;  // more would be less than two pixels apart

using Points = std::vector<std::pair<double, double>>;

Points thinned(const Points& points) {
  Points finite;
  std::copy_if(points.begin(), points.end(), std::back_inserter(finite),
               [](const auto& p) { return std::isfinite(p.first) && std::isfinite(p.second); });
  const std::size_t bucket = (finite.size() + kMostPoints - 1) / kMostPoints;
  if (bucket <= 1) return finite;
  Points means;
  for (std::size_t i = 0; i < finite.size(); i += bucket) {
    const std::size_t end = std::min(i + bucket, finite.size());
    double x = 0.0, y = 0.0;
    for (std::size_t j = i; j < end; ++j) {
      x += finite[j].first;
      y += finite[j].second;
    }
    means.emplace_back(x / static_cast<double>(end - i), y / static_cast<double>(end - i));
  }
  return means;
}

struct Bounds {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

std::string grid(const ChartAxis& x, const ChartAxis& y, const LineChartOptions& options) {
  std::string svg;
  for (const double tick : y.ticks()) {
    svg += fmt::format(
        "<line class='grid' x1='{0}' x2='{1}' y1='{2:.1f}' y2='{2:.1f}'/><text class='tick' x='{3}' y='{4:.1f}' "
        "text-anchor='end'>{5}</text>\n",
        kLeft, kWidth - kRight, y.pixel(tick), kLeft - 6, y.pixel(tick) + 3.5, tick_text(tick));
  }
  for (const double tick : x.ticks()) {
    svg += fmt::format("<text class='tick' x='{:.1f}' y='{}' text-anchor='middle'>{}</text>\n", x.pixel(tick),
                       kHeight - kBottom + 15, tick_text(tick));
  }
  svg += fmt::format("<line class='axis' x1='{0}' x2='{1}' y1='{2}' y2='{2}'/>\n", kLeft, kWidth - kRight,
                     kHeight - kBottom);
  svg += fmt::format("<text class='tick' x='{}' y='{}' text-anchor='middle'>{}</text>\n", (kLeft + kWidth - kRight) / 2,
                     kHeight - 8, html_escaped(options.x_name));
  svg += fmt::format("<text class='tick' transform='translate(12 {}) rotate(-90)' text-anchor='middle'>{}</text>\n",
                     (kTop + kHeight - kBottom) / 2, html_escaped(options.y_name));
  return svg;
}

}  // namespace

std::string line_chart(const std::vector<LineSeries>& series, const LineChartOptions& options) {
  std::vector<Points> lines;
  Bounds x_bounds, y_bounds;
  for (const LineSeries& one : series) {
    lines.push_back(thinned(one.points));
    for (const auto& [x, y] : lines.back()) {
      x_bounds.include(x);
      y_bounds.include(y);
    }
  }
  if (x_bounds.low > x_bounds.high) return "";
  const bool logarithmic = options.y_logarithmic && y_bounds.low > 0.0;
  if (!logarithmic && options.y_from_zero) y_bounds.include(0.0);
  // A little room: a line should not run on the frame.
  if (logarithmic) {
    y_bounds = {y_bounds.low / 1.1, y_bounds.high * 1.1};
  } else {
    y_bounds.high += 0.04 * (y_bounds.high - y_bounds.low);
  }
  const ChartAxis x(x_bounds.low, x_bounds.high, kLeft, kWidth - kRight);
  const ChartAxis y(y_bounds.low, y_bounds.high, kHeight - kBottom, kTop, logarithmic);

  std::string svg = fmt::format("<svg viewBox='0 0 {} {}' role='img' aria-label='{}'>\n<title>{}</title>\n", kWidth,
                                kHeight, html_escaped(options.title), html_escaped(options.title));
  svg += fmt::format("<desc>{} over {}, one line for each of {} cells</desc>\n", html_escaped(options.y_name),
                     html_escaped(options.x_name), series.size());
  svg += grid(x, y, options);
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (lines[i].empty()) continue;
    std::string path, dots;
    for (const auto& [at, value] : lines[i]) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.pixel(at), y.pixel(value));
      if (series[i].markers || lines[i].size() == 1) {
        dots += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='3'><title>{}: {:.4g} at {:g}</title></circle>",
                            x.pixel(at), y.pixel(value), html_escaped(series[i].name), value, at);
      }
    }
    svg += fmt::format("<g class='line {}'><path d='{}'><title>{}</title></path>{}</g>\n",
                       html_escaped(series[i].style), path, html_escaped(series[i].name), dots);
  }
  return svg + "</svg>\n";
}

}  // namespace entune
