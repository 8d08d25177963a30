#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/scoring/document_score.h"

namespace entune {

/// The documents of one cell on one split.
struct NamedDocuments {
  std::string name;  ///< of the cell
  std::string
      variant;  ///< what it shares with cells that differ by seed alone (variant_name()); empty: the cell's name
  std::string split;
  std::vector<DocumentScore> documents;
  /// Of free answers that were scored beside constrained ones: the variant of those; else empty.
  std::string free_of = {};
};

struct ComparisonOptions {
  std::vector<Scheme> schemes = {Scheme::strict};
  std::int64_t rounds = 10000;            ///< of the randomization test
  std::int64_t bootstrap_samples = 1000;  ///< of the difference's interval
  double confidence = 0.95;
  std::uint64_t seed = 1;
  std::vector<std::string> held_out = {};  ///< labels kept out of training: their sum is compared too
};

/// All pairs of variants that were scored on the same split, in both readings: an array of
///   {a, b, split, metric: "strict_f1" or "held_out_f1" (strict, of the held-out labels alone), reading: "raw" |
///   "repaired", difference: F1(a) - F1(b), low, high, p_value, p_holm}.
/// Cells of one variant are runs with different seeds: they are never compared with each other, their counts are
/// pooled, and a and b name the variant then (else the cell). Free answers are compared with the constrained ones of
/// their own variant, and with each other. The test swaps the outputs of whole groups between the
/// two sides, each side weighed as one run. Intervals are of a paired bootstrap over groups. Holm's correction is over
/// the rows of one metric on one split; those of free answers with each other, and with constrained ones, are families
/// of their own. The held-out metric is left out where a split holds no such entity. Throws
/// InputError if two sides of a pair were not scored on the same texts.
nlohmann::json compare_cells(const std::vector<NamedDocuments>& cells, const ComparisonOptions& options);

}  // namespace entune
