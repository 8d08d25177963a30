#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace entune {

enum class MetricKind {
  counter,    ///< only grows; there from the start, at 0, for every value of its labels
  gauge,      ///< absent until it is set
  histogram,  ///< of seconds
  info,       ///< a gauge of 1 whose labels say something; one set of labels at a time
};

/// What a rank must have for a metric to be there. A set of these, by |.
enum MetricNeeds : unsigned {
  kEveryRank = 0,
  kFirstRank = 1,  ///< a figure of the whole run, which the first rank tells for all
  kTiming = 2,     ///< phases and collectives are timed
  kGpu = 4,        ///< a GPU; absent until it is set or counted: at 0 it would say that there is one
};

struct MetricSpec {
  std::string_view name;  ///< with the prefix entune_
  MetricKind kind;
  std::vector<std::string_view> labels;
  std::string_view unit;  ///< empty: a plain number
  std::string_view help;  ///< one line
  unsigned needs = kEveryRank;
};

/// Every metric there is: the registry makes them from this table, and `trainer metrics-catalog` prints it.
const std::vector<MetricSpec>& metric_catalog();

/// Label -> all values that it may have. Labels of info metrics are not listed: their values are the run's settings.
using LabelValues = std::map<std::string_view, std::vector<std::string>>;

/// The labels whose values are the same in every run.
const LabelValues& fixed_label_values();

std::string_view name_of(MetricKind kind);

}  // namespace entune
