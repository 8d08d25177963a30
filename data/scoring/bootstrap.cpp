#include "data/scoring/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace entune {
namespace {

/// Draws resamples as multiplicities: how often each group is in the sample. The generator is the standard's
/// mt19937_64, whose output is fixed; its distributions are not, so the bounded draw is our own.
class Resampler {
 public:
  Resampler(std::size_t num_groups, std::uint64_t seed) : random_(seed), multiplicity_(num_groups) {}

  const std::vector<std::int64_t>& next() {
    std::fill(multiplicity_.begin(), multiplicity_.end(), 0);
    for (std::size_t i = 0; i < multiplicity_.size(); ++i)
      ++multiplicity_[((random_() >> 32) * multiplicity_.size()) >> 32];
    return multiplicity_;
  }

 private:
  std::mt19937_64 random_;
  std::vector<std::int64_t> multiplicity_;
};

void add_times(F1Counts& sum, const F1Counts& counts, std::int64_t times) {
  sum.credit_halves += times * counts.credit_halves;
  sum.possible += times * counts.possible;
  sum.actual += times * counts.actual;
}

/// The mean F1 of those of `sums` that `of` names and that have gold; absent where none has.
std::optional<double> mean_f1(const std::vector<F1Counts>& sums, const std::vector<std::size_t>& of) {
  double total = 0.0;
  std::int64_t count = 0;
  for (const std::size_t m : of) {
    if (sums[m].possible == 0) continue;
    total += *sums[m].f1();
    ++count;
  }
  return count ? std::optional(total / static_cast<double>(count)) : std::nullopt;
}

std::optional<Interval> percentile_interval(std::vector<double> values, double confidence) {
  if (values.empty()) return std::nullopt;
  const double tail = (1.0 - confidence) / 2.0;
  std::sort(values.begin(), values.end());
  return Interval{.low = quantile(values, tail), .high = quantile(values, 1.0 - tail)};
}

}  // namespace

F1Counts& F1Counts::operator+=(const F1Counts& other) {
  add_times(*this, other, 1);
  return *this;
}

std::optional<double> F1Counts::f1() const {
  if (possible + actual == 0) return std::nullopt;
  return static_cast<double>(credit_halves) / static_cast<double>(possible + actual);
}

double quantile(std::vector<double> values, double q) {
  if (!std::is_sorted(values.begin(), values.end())) std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(position));
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

std::vector<std::optional<Interval>> f1_intervals(const std::vector<std::vector<F1Counts>>& groups,
                                                  const BootstrapOptions& options,
                                                  const std::vector<std::vector<std::size_t>>& means) {
  const std::size_t num_metrics = groups.empty() ? 0 : groups.front().size();
  std::vector<std::optional<Interval>> intervals(num_metrics + means.size());
  if (groups.size() < 2) return intervals;

  std::vector<std::vector<double>> values(intervals.size());
  Resampler resampler(groups.size(), options.seed);
  std::vector<F1Counts> sums(num_metrics);
  for (std::int64_t sample = 0; sample < options.samples; ++sample) {
    std::fill(sums.begin(), sums.end(), F1Counts{});
    const std::vector<std::int64_t>& multiplicity = resampler.next();
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (multiplicity[g] == 0) continue;
      for (std::size_t m = 0; m < num_metrics; ++m) add_times(sums[m], groups[g][m], multiplicity[g]);
    }
    for (std::size_t m = 0; m < num_metrics; ++m) {
      if (const auto f1 = sums[m].f1()) values[m].push_back(*f1);
    }
    for (std::size_t k = 0; k < means.size(); ++k) {
      if (const auto mean = mean_f1(sums, means[k])) values[num_metrics + k].push_back(*mean);
    }
  }
  for (std::size_t i = 0; i < intervals.size(); ++i)
    intervals[i] = percentile_interval(std::move(values[i]), options.confidence);
  return intervals;
}

std::optional<Interval> f1_difference_interval(const std::vector<F1Counts>& a, const std::vector<F1Counts>& b,
                                               const BootstrapOptions& options) {
  if (a.size() < 2) return std::nullopt;
  std::vector<double> differences;
  Resampler resampler(a.size(), options.seed);
  for (std::int64_t sample = 0; sample < options.samples; ++sample) {
    F1Counts sum_a, sum_b;
    const std::vector<std::int64_t>& multiplicity = resampler.next();
    for (std::size_t g = 0; g < a.size(); ++g) {
      add_times(sum_a, a[g], multiplicity[g]);
      add_times(sum_b, b[g], multiplicity[g]);
    }
    const auto f1_a = sum_a.f1();
    const auto f1_b = sum_b.f1();
    if (f1_a && f1_b) differences.push_back(*f1_a - *f1_b);
  }
  return percentile_interval(std::move(differences), options.confidence);
}

}  // namespace entune
