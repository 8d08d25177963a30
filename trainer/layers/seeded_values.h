#pragma once

#include <cstdint>
#include <string>

#include "trainer/layers/parameter.h"

namespace entune {

/// A seed for the thing of this name: different names give unrelated values.
std::uint64_t name_seed(std::uint64_t seed, const std::string& name);

// Random values of a parameter, drawn for its full shape from a generator seeded by (seed, name), of which this rank
// keeps its part: every layout of ranks holds the same model. Rows are drawn in pieces, so the full parameter never
// exists. Padding is zero.

void fill_normal(Parameter& parameter, double standard_deviation, std::uint64_t seed);
/// Uniform in [-bound, bound).
void fill_uniform(Parameter& parameter, double bound, std::uint64_t seed);

}  // namespace entune
