#pragma once

#include <cstdint>
#include <vector>

#include "data/scoring/bootstrap.h"

namespace entune {

struct RandomizationOptions {
  std::int64_t rounds = 10000;
  std::uint64_t seed = 1;
};

/// Two-sided p-value of F1(a) - F1(b) by paired approximate randomization (Yeh 2000, C00-2137): each round swaps the
/// two systems' outputs on each group with probability 1/2; p = (r + 1) / (rounds + 1), r being the rounds whose
/// difference is at least as large as the observed one. a[g] and b[g] are the counts of the two systems on group g.
/// Assumes nothing about the scores' distribution. An undefined F1 counts as 0. Deterministic by seed, and symmetric in
/// a and b.
double randomization_p_value(const std::vector<F1Counts>& a, const std::vector<F1Counts>& b,
                             const RandomizationOptions& options);

/// Holm's step-down correction: adjusted p-values in the order given, that control the chance of any false finding in
/// the family. The i-th smallest of n is multiplied by n - i + 1, then made no smaller than the one before it and at
/// most 1.
std::vector<double> holm_adjusted(const std::vector<double>& p_values);

}  // namespace entune
