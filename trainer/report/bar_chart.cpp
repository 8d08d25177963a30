#include "trainer/report/bar_chart.h"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <iterator>

#include "trainer/report/chart_axis.h"
#include "trainer/report/html_text.h"
#include "trainer/report/text_table.h"

namespace entune {
namespace {

constexpr double kWidth = 760, kRight = 150, kTop = 6, kBottom = 38, kBar = 13, kGap = 3, kGroupGap = 11;
constexpr double kCharacter = 6.6, kMostLabel = 230;

std::string cut(const std::string& label) {
  const std::string whole = one_line(label);
  const auto most = static_cast<std::size_t>(kMostLabel / kCharacter);
  if (display_width(whole) <= most) return whole;
  std::string text;
  for (auto at = whole.begin(); at != whole.end() && display_width(text) + 1 < most;) {
    utf8::unchecked::append(utf8::unchecked::next(at), std::back_inserter(text));
  }
  return text + "…";
}

double group_height(const BarGroup& group) {
  return static_cast<double>(group.bars.size()) * (kBar + kGap) - kGap + kGroupGap;
}

std::string draw_bar(const Bar& bar, const ChartAxis& x, double top) {
  std::string svg;
  double sum = 0.0;
  for (const BarSegment& segment : bar.segments) {
    const double from = x.pixel(sum), to = x.pixel(sum + segment.value);
    sum += segment.value;
    if (to <= from) continue;
    svg += fmt::format(
        "<rect class='{}' x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{}' rx='1.5'><title>{}</title></rect>\n",
        html_escaped(segment.style), from, top, to - from, kBar, html_escaped(segment.note));
  }
  double end = x.pixel(sum);
  if (bar.low && bar.high) {
    const double low = x.pixel(*bar.low), high = x.pixel(*bar.high), middle = top + kBar / 2;
    svg += fmt::format(
        "<path class='whisker' d='M{0:.1f} {1:.1f}H{2:.1f}M{0:.1f} {3:.1f}V{4:.1f}M{2:.1f} {3:.1f}V{4:.1f}'/>\n", low,
        middle, high, middle - 4, middle + 4);
    end = std::max(end, high);
  }
  svg += fmt::format("<text class='value' x='{:.1f}' y='{:.1f}'>{}</text>\n", end + 6, top + kBar - 2.5,
                     html_escaped(bar.text));
  return svg;
}

}  // namespace

std::string bar_chart(const std::vector<BarGroup>& groups, const BarChartOptions& options) {
  if (groups.empty()) return "";
  double height = kTop + kBottom, largest = 0.0;
  std::size_t longest = 0;
  for (const BarGroup& group : groups) {
    height += group_height(group);
    longest = std::max(longest, display_width(cut(group.label)));
    for (const Bar& bar : group.bars) {
      double sum = 0.0;
      for (const BarSegment& segment : bar.segments) sum += segment.value;
      largest = std::max({largest, sum, bar.high.value_or(0.0)});
    }
  }
  const double left = std::max(70.0, 14 + kCharacter * static_cast<double>(longest));
  const double bottom = height - kBottom;
  const ChartAxis x(0.0, options.x_max.value_or(largest), left, kWidth - kRight);

  std::string svg = fmt::format("<svg viewBox='0 0 {} {:.0f}' role='img' aria-label='{}'>\n<title>{}</title>\n", kWidth,
                                height, html_escaped(options.title), html_escaped(options.title));
  for (const double tick : x.ticks()) {
    svg += fmt::format(
        "<line class='grid' x1='{0:.1f}' x2='{0:.1f}' y1='{1}' y2='{2:.1f}'/><text class='tick' x='{0:.1f}' "
        "y='{3:.1f}' "
        "text-anchor='middle'>{4}</text>\n",
        x.pixel(tick), kTop, bottom, bottom + 14, tick_text(tick));
  }
  double top = kTop + kGroupGap / 2;
  for (const BarGroup& group : groups) {
    const double middle = top + (group_height(group) - kGroupGap) / 2;
    svg += fmt::format("<text class='label' x='{:.1f}' y='{:.1f}' text-anchor='end'>{}<title>{}</title></text>\n",
                       left - 8, middle + 4, html_escaped(cut(group.label)), html_escaped(group.label));
    for (const Bar& bar : group.bars) {
      svg += draw_bar(bar, x, top);
      top += kBar + kGap;
    }
    top += kGroupGap - kGap;
  }
  svg += fmt::format("<line class='axis' x1='{0:.1f}' x2='{0:.1f}' y1='{1}' y2='{2:.1f}'/>\n", left, kTop, bottom);
  svg += fmt::format("<text class='tick' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>\n",
                     (left + kWidth - kRight) / 2, height - 6, html_escaped(options.x_name));
  return svg + "</svg>\n";
}

}  // namespace entune
