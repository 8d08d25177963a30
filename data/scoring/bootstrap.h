#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace entune {

/// The pooled counts that an F1 needs: F1 = credit_halves / (possible + actual). They add. A rate is one too:
/// {numerator, denominator, 0}.
struct F1Counts {
  std::int64_t credit_halves = 0;  ///< credit in halves of a point
  std::int64_t possible = 0;       ///< gold
  std::int64_t actual = 0;         ///< predicted

  F1Counts& operator+=(const F1Counts& other);
  std::optional<double> f1() const;  ///< absent where nothing is gold and nothing predicted
};

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

struct BootstrapOptions {
  std::int64_t samples = 1000;
  double confidence = 0.95;
  std::uint64_t seed = 1;
};

/// Percentile bootstrap intervals of several F1 over the same resamples of groups with replacement (documents of one
/// template are not independent, so they are drawn together). groups[g][m]: counts of group g for F1 number m; all rows
/// are of one length. Absent: with fewer than two groups, no samples, or where no resample defines the F1. The same
/// input gives the same result on every machine; the order of groups matters to the draws.
///
/// `means`: lists of numbers m, whose F1 are averaged in each resample (macro F1); their intervals come after those of
/// the F1. A resample's mean leaves out the F1 that have nothing gold in it.
std::vector<std::optional<Interval>> f1_intervals(const std::vector<std::vector<F1Counts>>& groups,
                                                  const BootstrapOptions& options,
                                                  const std::vector<std::vector<std::size_t>>& means = {});

/// Interval of F1(a) - F1(b), both on the same resamples; a[g] and b[g] are the counts of two systems on group g. An
/// undefined F1 of a resample leaves it out.
std::optional<Interval> f1_difference_interval(const std::vector<F1Counts>& a, const std::vector<F1Counts>& b,
                                               const BootstrapOptions& options);

/// The q-quantile of `values` (not empty), with linear interpolation between order statistics: position q (n - 1).
double quantile(std::vector<double> values, double q);

}  // namespace entune
