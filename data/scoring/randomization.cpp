#include "data/scoring/randomization.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace entune {
namespace {

double f1_or_zero(const F1Counts& counts) { return counts.f1().value_or(0.0); }

F1Counts minus(const F1Counts& a, const F1Counts& b) {
  return {.credit_halves = a.credit_halves - b.credit_halves,
          .possible = a.possible - b.possible,
          .actual = a.actual - b.actual};
}

}  // namespace

double randomization_p_value(const std::vector<F1Counts>& a, const std::vector<F1Counts>& b,
                             const RandomizationOptions& options) {
  F1Counts sum_a, sum_b;
  std::vector<F1Counts> excess;  // what a has more than b; groups where they agree cannot change anything
  for (std::size_t g = 0; g < a.size(); ++g) {
    sum_a += a[g];
    sum_b += b[g];
    const F1Counts difference = minus(a[g], b[g]);
    if (difference.credit_halves != 0 || difference.possible != 0 || difference.actual != 0) {
      excess.push_back(difference);
    }
  }
  // Equal differences may differ in the last digits, by the way they were summed.
  constexpr double kTolerance = 1e-12;
  const double observed = std::abs(f1_or_zero(sum_a) - f1_or_zero(sum_b)) - kTolerance;

  std::mt19937_64 random(options.seed);
  std::int64_t at_least_as_large = 0;
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    F1Counts moved;
    std::uint64_t coins = 0;
    for (std::size_t g = 0; g < excess.size(); ++g) {
      if (g % 64 == 0) coins = random();
      const std::int64_t swap = static_cast<std::int64_t>((coins >> (g % 64)) & 1);
      moved.credit_halves += swap * excess[g].credit_halves;
      moved.possible += swap * excess[g].possible;
      moved.actual += swap * excess[g].actual;
    }
    F1Counts swapped_b = sum_b;
    swapped_b += moved;
    at_least_as_large += std::abs(f1_or_zero(minus(sum_a, moved)) - f1_or_zero(swapped_b)) >= observed;
  }
  return static_cast<double>(at_least_as_large + 1) / static_cast<double>(options.rounds + 1);
}

std::vector<double> holm_adjusted(const std::vector<double>& p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return p_values[i] < p_values[j]; });
  std::vector<double> adjusted(p_values.size());
  double floor = 0.0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p_values[order[rank]] * static_cast<double>(order.size() - rank);
    floor = std::max(floor, std::min(1.0, scaled));
    adjusted[order[rank]] = floor;
  }
  return adjusted;
}

}  // namespace entune
