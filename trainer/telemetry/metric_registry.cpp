#include "trainer/telemetry/metric_registry.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace entune {
namespace {

constexpr std::string_view kPrefix = "entune_";

// 0.05 s to 205 s, doubling.
prometheus::Histogram::BucketBoundaries duration_buckets() {
  prometheus::Histogram::BucketBoundaries bounds;
  for (int k = 0; k <= 12; ++k) bounds.push_back(std::ldexp(0.05, k));
  return bounds;
}

}  // namespace

struct MetricRegistry::Metric {
  const MetricSpec* spec = nullptr;
  bool is_here = false;                                       // this rank has what it needs
  std::vector<const std::vector<std::string>*> allowed = {};  // values of each label; null: any
  prometheus::Family<prometheus::Counter>* counter = nullptr;
  prometheus::Family<prometheus::Gauge>* gauge = nullptr;
  prometheus::Histogram* histogram = nullptr;
  prometheus::Gauge* info = nullptr;

  prometheus::Labels labels(const std::vector<std::string_view>& values) const {
    prometheus::Labels labels;
    for (std::size_t i = 0; i < values.size(); ++i) labels.emplace(spec->labels[i], values[i]);
    return labels;
  }
  // Calls visit(labels) for every combination of the labels' values.
  template <typename Visit>
  void for_all(Visit&& visit, std::vector<std::string_view> chosen = {}) const {
    if (chosen.size() == spec->labels.size()) return visit(labels(chosen));
    for (const std::string& value : *allowed[chosen.size()]) {
      chosen.push_back(value);
      for_all(visit, chosen);
      chosen.pop_back();
    }
  }
};

struct MetricRegistry::Metrics {
  LabelValues values;
  prometheus::Registry registry;
  std::map<std::string_view, Metric> by_name;  // without the prefix
};

MetricRegistry::MetricRegistry(const LabelValues& values, unsigned has) : metrics_(std::make_unique<Metrics>()) {
  metrics_->values = fixed_label_values();
  metrics_->values.insert(values.begin(), values.end());
  for (const MetricSpec& spec : metric_catalog()) {
    Metric& metric = metrics_->by_name[spec.name.substr(kPrefix.size())];
    metric.spec = &spec;
    for (const std::string_view label : spec.labels) {
      const auto found = metrics_->values.find(label);
      if (spec.kind != MetricKind::info && found == metrics_->values.end())
        throw std::logic_error(fmt::format("{}: no values are known of its label {}", spec.name, label));
      metric.allowed.push_back(spec.kind == MetricKind::info ? nullptr : &found->second);
    }
    metric.is_here = (spec.needs & ~(has | kGpu)) == 0;
    if (!metric.is_here) continue;
    const std::string name(spec.name), help(spec.help);
    prometheus::Registry& registry = metrics_->registry;
    switch (spec.kind) {
      case MetricKind::counter:
        metric.counter = &prometheus::BuildCounter().Name(name).Help(help).Register(registry);
        if ((spec.needs & kGpu) == 0)
          metric.for_all([&](const prometheus::Labels& labels) { metric.counter->Add(labels); });
        break;
      case MetricKind::gauge:
      case MetricKind::info:
        metric.gauge = &prometheus::BuildGauge().Name(name).Help(help).Register(registry);
        break;
      case MetricKind::histogram:
        metric.histogram =
            &prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, duration_buckets());
        break;
    }
  }
}

MetricRegistry::~MetricRegistry() = default;

MetricRegistry::Metric* MetricRegistry::find(std::string_view name, MetricKind kind, Labels labels) const {
  const auto found = metrics_->by_name.find(name);
  if (found == metrics_->by_name.end() || found->second.spec->kind != kind)
    throw std::logic_error(fmt::format("metric {}: expected a {} of the catalog", name, name_of(kind)));
  Metric& metric = found->second;
  if (labels.size() != metric.spec->labels.size())
    throw std::logic_error(fmt::format("metric {}: expected {} labels", name, metric.spec->labels.size()));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (metric.allowed[i] == nullptr) continue;
    // What was given is not repeated: it might be text of a sample.
    if (std::find(metric.allowed[i]->begin(), metric.allowed[i]->end(), labels.begin()[i]) == metric.allowed[i]->end())
      throw std::logic_error(fmt::format("metric {}: expected a known value of {}", name, metric.spec->labels[i]));
  }
  return metric.is_here ? &metric : nullptr;
}

void MetricRegistry::add(std::string_view name, Labels labels, double amount) {
  Metric* metric = find(name, MetricKind::counter, labels);
  if (metric != nullptr && std::isfinite(amount) && amount > 0)
    metric->counter->Add(metric->labels(labels)).Increment(amount);
}

void MetricRegistry::raise_to(std::string_view name, Labels labels, double total) {
  Metric* metric = find(name, MetricKind::counter, labels);
  if (metric == nullptr) return;
  prometheus::Counter& counter = metric->counter->Add(metric->labels(labels));
  if (std::isfinite(total) && total > counter.Value()) counter.Increment(total - counter.Value());
}

void MetricRegistry::set(std::string_view name, Labels labels, double value) {
  Metric* metric = find(name, MetricKind::gauge, labels);
  if (metric != nullptr) metric->gauge->Add(metric->labels(labels)).Set(value);
}

void MetricRegistry::set_one_of(std::string_view name, std::string_view value) {
  Metric* metric = find(name, MetricKind::gauge, {value});
  if (metric == nullptr) return;
  metric->for_all([&](const prometheus::Labels& labels) {
    metric->gauge->Add(labels).Set(labels.begin()->second == value ? 1.0 : 0.0);
  });
}

void MetricRegistry::set_info(std::string_view name, Labels labels) {
  Metric* metric = find(name, MetricKind::info, labels);
  if (metric == nullptr) return;
  if (metric->info != nullptr) metric->gauge->Remove(metric->info);
  metric->info = &metric->gauge->Add(metric->labels(labels));
  metric->info->Set(1.0);
}

void MetricRegistry::observe(std::string_view name, double seconds) {
  Metric* metric = find(name, MetricKind::histogram, {});
  if (metric != nullptr && std::isfinite(seconds)) metric->histogram->Observe(seconds);
}

std::string MetricRegistry::text() const {
  return prometheus::TextSerializer().Serialize(metrics_->registry.Collect());
}

}  // namespace entune
