#include "trainer/report/cell_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "data/input_error.h"
#include "data/scoring/bootstrap.h"
#include "data/scoring/randomization.h"

namespace entune {
namespace {

using nlohmann::json;

/// The runs of one variant on one split.
struct Side {
  std::string name;
  std::string variant;
  std::string free_of;  // as in NamedDocuments
  std::vector<const NamedDocuments*> runs;
};

std::vector<Side> sides_of(const std::vector<NamedDocuments>& cells, const std::string& split) {
  std::vector<Side> sides;
  std::map<std::string, std::size_t> index;
  for (const NamedDocuments& cell : cells) {
    if (cell.split != split) continue;
    const std::string& variant = cell.variant.empty() ? cell.name : cell.variant;
    const auto [at, is_new] = index.try_emplace(variant, sides.size());
    if (is_new) sides.push_back({.name = cell.name, .variant = variant, .free_of = cell.free_of, .runs = {}});
    Side& side = sides[at->second];
    side.runs.push_back(&cell);
    if (side.runs.size() > 1) side.name = variant;
  }
  return sides;
}

/// What a pair's row is corrected with.
enum class Family : std::uint8_t { answers, free_answers, constraint };

std::optional<Family> family_of(const Side& a, const Side& b) {
  if (a.free_of.empty() && b.free_of.empty()) return Family::answers;
  if (!a.free_of.empty() && !b.free_of.empty()) return Family::free_answers;
  if (a.free_of == b.variant || b.free_of == a.variant) return Family::constraint;
  return std::nullopt;
}

std::set<std::string> ids_of(const NamedDocuments& run) {
  std::set<std::string> ids;
  for (const DocumentScore& document : run.documents) ids.insert(document.id);
  return ids;
}

void require_same_texts(const std::vector<Side>& sides, const std::string& split) {
  const std::set<std::string> expected = ids_of(*sides.front().runs.front());
  for (const Side& side : sides) {
    for (const NamedDocuments* run : side.runs) {
      const std::set<std::string> found = ids_of(*run);
      if (found == expected && run->documents.size() == expected.size()) continue;
      throw InputError(
          fmt::format("cells '{}' and '{}', split '{}': expected scores of the same texts, found {} texts in one and "
                      "{} in the other "
                      "or other ids; compare cells of one study, on one corpus",
                      sides.front().runs.front()->name, run->name, split, expected.size(), run->documents.size()));
    }
  }
}

/// What is compared: an F1 of one reading.
struct Metric {
  std::string name;
  std::function<F1Counts(const SpanCounts&)> counts;
};

/// `run`: any of the split's, for all have the same gold.
std::vector<Metric> metrics_of(const ComparisonOptions& options, const NamedDocuments& run) {
  std::vector<Metric> metrics;
  for (const Scheme scheme : options.schemes) {
    metrics.push_back({fmt::format("{}_f1", name_of(scheme)),
                       [scheme](const SpanCounts& all) { return f1_counts(all.scheme(scheme)); }});
  }
  const bool any_held_out = std::ranges::any_of(run.documents, [&](const DocumentScore& document) {
    return counts_over(document.raw, options.held_out).support > 0;
  });
  if (any_held_out) {
    metrics.push_back(
        {"held_out_f1", [&options](const SpanCounts& all) { return f1_counts(counts_over(all, options.held_out)); }});
  }
  return metrics;
}

/// F1 counts by group, summed over the runs and multiplied by `weight`.
std::vector<F1Counts> counts_of(const Side& side, SpanCounts DocumentScore::*reading, const Metric& metric,
                                std::int64_t weight) {
  std::vector<F1Counts> sums;
  for (const NamedDocuments* run : side.runs) {
    const auto groups = group_documents(run->documents);
    sums.resize(groups.size());
    for (std::size_t g = 0; g < groups.size(); ++g) {
      for (const DocumentScore* document : groups[g]) {
        const F1Counts counts = metric.counts(document->*reading);
        sums[g] += {weight * counts.credit_halves, weight * counts.possible, weight * counts.actual};
      }
    }
  }
  return sums;
}

json compare(const Side& a, const Side& b, SpanCounts DocumentScore::*reading, const Metric& metric,
             const ComparisonOptions& options) {
  // As many runs on either side: else a side with more of them would outweigh the other where they mix.
  const std::vector<F1Counts> counts_a = counts_of(a, reading, metric, std::ssize(b.runs));
  const std::vector<F1Counts> counts_b = counts_of(b, reading, metric, std::ssize(a.runs));
  F1Counts sum_a, sum_b;
  for (const F1Counts& counts : counts_a) sum_a += counts;
  for (const F1Counts& counts : counts_b) sum_b += counts;

  json row = {{"a", a.name},           {"b", b.name},    {"metric", metric.name},
              {"difference", nullptr}, {"low", nullptr}, {"high", nullptr}};
  if (const auto f1_a = sum_a.f1(), f1_b = sum_b.f1(); f1_a && f1_b) row["difference"] = *f1_a - *f1_b;
  if (const auto interval = f1_difference_interval(
          counts_a, counts_b,
          {.samples = options.bootstrap_samples, .confidence = options.confidence, .seed = options.seed})) {
    row["low"] = interval->low;
    row["high"] = interval->high;
  }
  row["p_value"] = randomization_p_value(counts_a, counts_b, {.rounds = options.rounds, .seed = options.seed});
  return row;
}

}  // namespace

json compare_cells(const std::vector<NamedDocuments>& cells, const ComparisonOptions& options) {
  std::vector<std::string> splits;
  for (const NamedDocuments& cell : cells) {
    if (std::find(splits.begin(), splits.end(), cell.split) == splits.end()) splits.push_back(cell.split);
  }
  json comparisons = json::array();
  for (const std::string& split : splits) {
    const std::vector<Side> sides = sides_of(cells, split);
    require_same_texts(sides, split);
    for (const Metric& metric : metrics_of(options, *sides.front().runs.front())) {
      std::map<Family, std::vector<json>> rows;
      for (std::size_t i = 0; i < sides.size(); ++i) {
        for (std::size_t j = i + 1; j < sides.size(); ++j) {
          const std::optional<Family> family = family_of(sides[i], sides[j]);
          if (!family) continue;
          for (const auto& [reading, counts] :
               {std::pair{"raw", &DocumentScore::raw}, std::pair{"repaired", &DocumentScore::repaired}}) {
            json row = compare(sides[i], sides[j], counts, metric, options);
            row["split"] = split;
            row["reading"] = reading;
            rows[*family].push_back(std::move(row));
          }
        }
      }
      for (auto& [family, of_family] : rows) {
        std::vector<double> p_values;
        for (const json& row : of_family) p_values.push_back(row["p_value"]);
        const std::vector<double> adjusted = holm_adjusted(p_values);
        for (std::size_t i = 0; i < of_family.size(); ++i) {
          of_family[i]["p_holm"] = adjusted[i];
          comparisons.push_back(std::move(of_family[i]));
        }
      }
    }
  }
  return comparisons;
}

}  // namespace entune
