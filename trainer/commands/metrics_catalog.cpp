#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>

#include "trainer/commands/commands.h"
#include "trainer/study/run_metrics.h"
#include "trainer/telemetry/metric_catalog.h"

namespace entune {
namespace {

// A line a metric: name, type, labels, unit, who has it, help; then a line a label with its values.
void print_catalog() {
  std::size_t name_width = 0, labels_width = 0;
  const auto labels_of = [](const MetricSpec& metric) {
    return metric.labels.empty() ? "-" : fmt::format("{}", fmt::join(metric.labels, ","));
  };
  for (const MetricSpec& metric : metric_catalog()) {
    name_width = std::max(name_width, metric.name.size());
    if (metric.kind != MetricKind::info) labels_width = std::max(labels_width, labels_of(metric).size());
  }
  std::set<std::string_view> labels;
  for (const MetricSpec& metric : metric_catalog()) {
    const std::string who =
        fmt::format("{}{}{}", metric.needs & kFirstRank ? " Of rank 0." : "",
                    metric.needs & kTiming ? " Where the exporter is on." : "", metric.needs & kGpu ? " On GPUs." : "");
    fmt::print("{:<{}}  {:<9}  {:<{}}  {:<7}  {}{}\n", metric.name, name_width, name_of(metric.kind), labels_of(metric),
               labels_width, metric.unit.empty() ? "-" : metric.unit, metric.help, who);
    if (metric.kind != MetricKind::info) labels.insert(metric.labels.begin(), metric.labels.end());
  }
  fmt::print("\n");
  LabelValues values = fixed_label_values();
  values.merge(data_label_values({}));
  values["entity"] = {"the recipe's labels"};
  for (const std::string_view label : labels) fmt::print("{}: {}\n", label, fmt::join(values.at(label), ", "));
}

}  // namespace

void add_metrics_catalog(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand(
      "metrics-catalog", "Print every metric that a run exports: name, type, labels, unit, meaning; then the labels");
  command->callback([&context] {
    context.run = [&context] {
      if (context.world.rank() == 0) print_catalog();
    };
  });
}

}  // namespace entune
