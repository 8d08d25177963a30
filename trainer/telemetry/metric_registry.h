#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "trainer/telemetry/metric_catalog.h"

namespace entune {

/// The metrics of one rank, by the catalog. Metrics are named without the prefix entune_; label values stand in the
/// catalog's order. A name, or a value outside its label's, that is not there throws std::logic_error; a metric that
/// needs what this rank has not (MetricNeeds) is left alone, so that every rank may make the same calls.
///
/// Threads may call it at the same time, except for one metric from two.
class MetricRegistry {
 public:
  /// `values`: of every label that is not among fixed_label_values(). `has`: kFirstRank, kTiming.
  MetricRegistry(const LabelValues& values, unsigned has);
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  using Labels = std::initializer_list<std::string_view>;

  /// A counter: by `amount`. Amounts that are negative or not finite are dropped.
  void add(std::string_view metric, Labels labels, double amount);
  /// A counter of what is counted elsewhere: to `total`, if that is more.
  void raise_to(std::string_view metric, Labels labels, double total);
  void set(std::string_view metric, Labels labels, double gauge);
  /// Sets a gauge to 1 for one value of its only label, and to 0 for the others.
  void set_one_of(std::string_view metric, std::string_view value);
  void set_info(std::string_view metric, Labels labels);
  void observe(std::string_view metric, double seconds);

  /// The page that Prometheus reads (text format 0.0.4).
  std::string text() const;

 private:
  struct Metric;
  struct Metrics;

  /// nullptr: this rank does not have it. The labels are checked all the same.
  Metric* find(std::string_view metric, MetricKind kind, Labels labels) const;

  std::unique_ptr<Metrics> metrics_;
};

}  // namespace entune
