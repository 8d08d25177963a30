#include "trainer/report/scaling_report.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "trainer/report/html_page.h"
#include "trainer/report/html_table.h"
#include "trainer/report/html_text.h"
#include "trainer/report/line_chart.h"
#include "trainer/report/report_style.h"
#include "trainer/report/summary_numbers.h"
#include "trainer/report/text_table.h"

namespace entune {
namespace {

constexpr const char* kCrowded =
    "* more ranks on a machine than it has cores, or GPUs: such a speed says nothing of scaling";

using Rows = std::span<const ScalingRow>;

/// Calls visit(rows of one setting).
void for_each_setting(const std::vector<ScalingRow>& rows, const std::function<void(Rows)>& visit) {
  for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    const ScalingRun& first = rows[begin].run;
    while (end < rows.size() && rows[end].run.weak == first.weak && rows[end].run.setting == first.setting) ++end;
    visit(Rows(rows).subspan(begin, end - begin));
  }
}

std::string title_of(const ScalingRun& run) {
  return fmt::format("{} scaling: {}", run.weak ? "weak" : "strong", run.setting);
}

bool any_crowded(Rows rows) {
  for (const ScalingRow& row : rows) {
    if (row.run.crowded) return true;
  }
  return false;
}

std::vector<std::string> columns() {
  return {"ranks",    "machines",   "data x tensor", "runs",        "s/step", "tokens/s",     "tokens/s/rank",
          "speed-up", "efficiency", "exposed comm",  "peak memory", "MFU",    "rank h/point", "USD/point"};
}

std::vector<std::string> cells(const ScalingRow& row) {
  const ScalingRun& run = row.run;
  return {fmt::format("{}{}", run.ranks, run.crowded ? "*" : ""),
          std::to_string(run.machines),
          fmt::format("{} x {}", run.data, run.tensor),
          std::to_string(row.num_runs),
          fixed(run.step_seconds, 3),
          grouped(run.tokens_per_second),
          grouped(row.tokens_per_second_and_rank),
          fixed(row.speedup, 2),
          percent(row.efficiency),
          percent(run.exposed),
          fmt::format("{:.2f} GiB", run.peak_bytes / (1024.0 * 1024.0 * 1024.0)),
          percent(run.mfu),
          fixed(row.rank_hours_a_point, 4),
          fixed(row.usd_a_point, 4)};
}

/// A chart of `value` over the ranks, a line for each number of tensor ranks; `ideal`: what the first size gives for
/// each rank, or nothing.
std::string chart(Rows rows, const LineChartOptions& options, const std::function<double(const ScalingRow&)>& value,
                  bool with_ideal = false) {
  std::map<std::int64_t, LineSeries> lines;
  for (const ScalingRow& row : rows) {
    if (row.run.crowded) continue;
    LineSeries& line = lines[row.run.tensor];
    line.points.emplace_back(static_cast<double>(row.run.ranks), value(row));
  }
  std::vector<LineSeries> series;
  for (auto& [tensor, line] : lines) {
    line.name = fmt::format("{} tensor ranks", tensor);
    line.style = series_style(series.size());
    line.markers = true;
    series.push_back(std::move(line));
  }
  if (with_ideal && !series.empty()) {
    LineSeries ideal{
        .name = "ideal", .style = series_style(series.size()) + " dashed", .points = {{0.0, 0.0}}, .markers = false};
    const auto [ranks, tokens] = series.front().points.front();
    double most = ranks;
    for (const LineSeries& line : series) most = std::max(most, line.points.back().first);
    ideal.points.emplace_back(most, tokens / ranks * most);
    series.push_back(std::move(ideal));
  }
  const std::string svg = line_chart(series, options);
  return svg.empty() ? "" : fmt::format("<figure><h3>{}</h3>{}</figure>\n", html_escaped(options.title), svg);
}

std::string charts(Rows rows) {
  std::string html;
  html += chart(
      rows, {.title = "Tokens a second", .x_name = "ranks", .y_name = "tokens/s"},
      [](const ScalingRow& row) { return row.run.tokens_per_second; }, true);
  html += chart(rows, {.title = "Efficiency", .x_name = "ranks", .y_name = "of the smallest size"},
                [](const ScalingRow& row) { return row.efficiency; });
  html += chart(rows, {.title = "Exposed communication", .x_name = "ranks", .y_name = "share of the step"},
                [](const ScalingRow& row) { return row.run.exposed; });
  html += chart(rows, {.title = "Peak memory of a rank", .x_name = "ranks", .y_name = "GiB"},
                [](const ScalingRow& row) { return row.run.peak_bytes / (1024.0 * 1024.0 * 1024.0); });
  return html;
}

std::string legend(Rows rows) {
  std::vector<LegendEntry> entries;
  std::set<std::int64_t> tensors;
  for (const ScalingRow& row : rows) {
    if (!row.run.crowded) tensors.insert(row.run.tensor);
  }
  for (const std::int64_t tensor : tensors)
    entries.push_back({series_style(entries.size()), fmt::format("{} tensor rank{}", tensor, tensor == 1 ? "" : "s")});
  if (!entries.empty()) entries.push_back({series_style(entries.size()) + " dashed", "ideal"});
  return html_legend(entries);
}

}  // namespace

std::string scaling_table(const std::vector<ScalingRow>& rows) {
  std::string text;
  for_each_setting(rows, [&](Rows of_setting) {
    TextTable table(columns());
    for (const ScalingRow& row : of_setting) table.add_row(cells(row));
    text += one_line(title_of(of_setting.front().run)) + "\n" + table.str();
    if (any_crowded(of_setting)) text += fmt::format("{}\n", kCrowded);
    text += "\n";
  });
  return text;
}

std::string scaling_csv(const std::vector<ScalingRow>& rows) {
  std::string csv =
      "scaling,setting,ranks,machines,data,tensor,crowded,runs,global_batch,step_seconds,tokens_per_second,"
      "tokens_per_second_and_rank,speedup,efficiency,exposed_communication,peak_memory_bytes,mfu,rank_hours_a_point,"
      "usd_a_point\n";
  const auto number = [](const std::optional<double>& value) { return value ? fmt::format("{}", *value) : ""; };
  for (const ScalingRow& row : rows) {
    const ScalingRun& run = row.run;
    std::string setting;  // RFC 4180: quotes are doubled
    for (const char c : one_line(run.setting)) setting += c == '"' ? "\"\"" : std::string(1, c);
    csv += fmt::format("{},\"{}\",{},{},{},{},{},{},{},{},{},{},{},{},{},{:.0f},{},{},{}\n",
                       run.weak ? "weak" : "strong", setting, run.ranks, run.machines, run.data, run.tensor,
                       run.crowded ? 1 : 0, row.num_runs, run.global_batch, run.step_seconds, run.tokens_per_second,
                       row.tokens_per_second_and_rank, row.speedup, row.efficiency, run.exposed, run.peak_bytes,
                       number(run.mfu), number(row.rank_hours_a_point), number(row.usd_a_point));
  }
  return csv;
}

std::string scaling_html(const std::vector<ScalingRow>& rows) {
  std::string body =
      "<header>\n<h1>Scaling</h1>\n<p class=\"soft\">Tokens are logical: those of all texts with their prompts. Strong "
      "scaling: the same texts a step at every size; weak: as many for each data rank. Efficiency: tokens a second and "
      "rank over those of the smallest size. Exposed communication: the share of a step that ranks wait for each "
      "other. "
      "A point is a hundredth of strict F1 of a whole training.</p>\n</header>\n";
  for_each_setting(rows, [&](Rows of_setting) {
    std::vector<HtmlCell> header;
    for (const std::string& column : columns()) header.emplace_back(column);
    HtmlTable table(std::move(header));
    for (const ScalingRow& row : of_setting) {
      std::vector<HtmlCell> line;
      for (const std::string& cell : cells(row)) line.emplace_back(cell);
      table.add_row(std::move(line));
    }
    body += fmt::format("<section>\n<h2>{}</h2>\n{}", html_escaped(title_of(of_setting.front().run)), table.str());
    if (any_crowded(of_setting)) body += fmt::format("<p class=\"soft\">{}; not drawn.</p>\n", kCrowded);
    body += legend(of_setting) + "<div class=\"charts\">" + charts(of_setting) + "</div>\n</section>\n";
  });
  return html_page("Scaling", body);
}

}  // namespace entune
