#include "trainer/report/comparison_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "trainer/report/summary_numbers.h"
#include "trainer/report/text_table.h"

namespace entune {
namespace {

using nlohmann::json;

std::string with_interval(const json& strict) {
  const auto low = number_at(strict, {"f1_low"}), high = number_at(strict, {"f1_high"});
  const std::string f1 = fixed(number_at(strict, {"f1"}), 3);
  return low && high ? fmt::format("{} [{:.3f}, {:.3f}]", f1, *low, *high) : f1;
}

std::string mean_text(const std::optional<MeanAndDeviation>& value) {
  return value ? fmt::format("{:.3f} ± {:.3f}", value->mean, value->deviation) : fixed(std::nullopt, 3);
}

/// F1 over the labels that were kept out of training, raw and repaired; nothing where there are none.
std::string held_out_table(const json& summary, const std::string& split) {
  const std::vector<std::string> labels = held_out_labels(summary, split);
  if (labels.empty()) return "";
  TextTable table({"cell", "P", "R", "F1 strict [95 %]", "repaired"});
  for (const Variant& variant : variants_of(summary)) {
    for (const json* cell : variant.cells) {
      const json& held_out = at_path(*cell, {"scores", split, "held_out"});
      if (held_out.is_null()) continue;
      table.add_row({string_at(*cell, {"name"}), fixed(number_at(held_out, {"raw", "precision"}), 3),
                     fixed(number_at(held_out, {"raw", "recall"}), 3), with_interval(at_path(held_out, {"raw"})),
                     fixed(number_at(held_out, {"repaired", "f1"}), 3)});
    }
    if (variant.cells.size() < 2) continue;
    const auto mean = mean_over(variant.cells, {"scores", split, "held_out", "raw", "f1"});
    const auto repaired = mean_over(variant.cells, {"scores", split, "held_out", "repaired", "f1"});
    if (!mean || !repaired) continue;
    table.add_row({fmt::format("{}: mean of {} seeds", variant.name, variant.cells.size()), "", "", mean_text(mean),
                   fixed(repaired->mean, 3)});
  }
  return fmt::format("\nLabels kept out of training ({}), raw reading\n",
                     one_line(fmt::format("{}", fmt::join(labels, ", ")))) +
         table.str();
}

std::string scores_table(const json& summary, const std::string& split) {
  TextTable table({"cell", "P", "R", "F1 strict [95 %]", "repaired", "exact", "partial", "type", "well-formed",
                   "offset wrong", "train s", "texts/s", "tokens out"});
  for (const Variant& variant : variants_of(summary)) {
    for (const json* cell : variant.cells) {
      const json& scores = at_path(*cell, {"scores", split});
      if (scores.is_null()) continue;
      table.add_row(
          {string_at(*cell, {"name"}), fixed(number_at(scores, {"raw", "strict", "precision"}), 3),
           fixed(number_at(scores, {"raw", "strict", "recall"}), 3), with_interval(at_path(scores, {"raw", "strict"})),
           fixed(number_at(scores, {"repaired", "strict", "f1"}), 3),
           fixed(number_at(scores, {"raw", "exact", "f1"}), 3), fixed(number_at(scores, {"raw", "partial", "f1"}), 3),
           fixed(number_at(scores, {"raw", "type", "f1"}), 3), percent(number_at(scores, {"health", "well_formed"})),
           fixed(number_at(scores, {"errors", "offset_wrong_value_right"}), 0),
           fixed(number_at(*cell, {"train", "seconds"}), 1),
           fixed(number_at(*cell, {"train", "samples_per_second"}), 2),
           grouped(number_at(*cell, {"generate", "generated_tokens"}))});
    }
    if (variant.cells.size() < 2) continue;
    const auto mean = [&](std::string_view reading, std::string_view scheme, std::string_view metric) {
      return mean_over(variant.cells, {"scores", split, reading, scheme, metric});
    };
    const auto only_mean = [&](std::string_view reading, std::string_view scheme, std::string_view metric) {
      const auto value = mean(reading, scheme, metric);
      return fixed(value ? std::optional(value->mean) : std::nullopt, 3);
    };
    table.add_row({fmt::format("{}: mean of {} seeds", variant.name, variant.cells.size()),
                   only_mean("raw", "strict", "precision"), only_mean("raw", "strict", "recall"),
                   mean_text(mean("raw", "strict", "f1")), only_mean("repaired", "strict", "f1"),
                   only_mean("raw", "exact", "f1"), only_mean("raw", "partial", "f1"), only_mean("raw", "type", "f1")});
  }
  return table.str();
}

std::string comparisons_table(const json& comparisons, const std::string& split) {
  TextTable table({"comparison", "metric", "reading", "difference [95 %]", "p", "p (Holm)"});
  bool any = false;
  for (const json& row : comparisons) {
    if (string_at(row, {"split"}) != split) continue;
    any = true;
    const auto low = number_at(row, {"low"}), high = number_at(row, {"high"}), p_holm = number_at(row, {"p_holm"});
    const auto difference = number_at(row, {"difference"});
    std::string text = difference ? fmt::format("{:+.3f}", *difference) : fixed(difference, 3);
    if (low && high) text += fmt::format(" [{:+.3f}, {:+.3f}]", *low, *high);
    table.add_row({fmt::format("{} − {}", string_at(row, {"a"}), string_at(row, {"b"})), string_at(row, {"metric"}),
                   string_at(row, {"reading"}), text, fixed(number_at(row, {"p_value"}), 4),
                   fixed(p_holm, 4) + (p_holm && *p_holm < 0.05 ? " *" : "  ")});
  }
  if (!any) return "";
  return "\nDifference of F1, paired randomization by group; * is p < 0.05 after Holm's correction\n" + table.str();
}

}  // namespace

std::string comparison_table(const json& summary) {
  std::string text;
  const json& comparisons = at_path(summary, {"comparisons"});
  for (const std::string& split : splits_of(summary)) {
    if (!text.empty()) text += '\n';
    text += fmt::format(
        "Scores on {}: raw reading, micro; 'offset wrong' counts entities whose value and label are right\n",
        one_line(split));
    text += scores_table(summary, split);
    text += held_out_table(summary, split);
    if (comparisons.is_array()) text += comparisons_table(comparisons, split);
  }
  return text;
}

std::string answering_table(const json& summary) {
  TextTable table({"cell", "seconds", "texts/s", "tokens out", "passes", "tokens a pass", "drafted", "accepted"});
  const json& cells = at_path(summary, {"cells"});
  if (!cells.is_array()) return "";
  for (const json& cell : cells) {
    const json& generate = at_path(cell, {"generate"});
    if (generate.is_null()) continue;
    const auto tokens = number_at(generate, {"generated_tokens"}), seconds = number_at(generate, {"seconds"});
    table.add_row({string_at(cell, {"name"}), fixed(seconds, 1), fixed(ratio(number_at(generate, {"texts"}), seconds), 2),
                   grouped(tokens), grouped(number_at(generate, {"forward_passes"})),
                   fixed(ratio(tokens, number_at(generate, {"answer_passes"})), 2),
                   grouped(number_at(generate, {"drafted_tokens"})),
                   percent(ratio(number_at(generate, {"accepted_tokens"}), number_at(generate, {"drafted_tokens"})))});
  }
  return "Answering: passes of the model over a batch, tokens of one answer a pass, and how much of the drafts it wrote\n" +
         table.str();
}

}  // namespace entune
