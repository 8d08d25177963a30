#include "trainer/report/score_section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "trainer/report/bar_chart.h"
#include "trainer/report/html_table.h"
#include "trainer/report/html_text.h"
#include "trainer/report/report_style.h"
#include "trainer/report/summary_numbers.h"

namespace entune {
namespace {

using nlohmann::json;

/// One cell's scores on the split.
struct Scored {
  std::string name;
  const json* cell;
  const json* scores;
  std::size_t variant;
};

std::string interval_markup(const json& quality) {
  const auto low = number_at(quality, {"f1_low"}), high = number_at(quality, {"f1_high"});
  return low && high ? fmt::format(" <span class=\"interval\">[{:.3f}, {:.3f}]</span>", *low, *high) : "";
}

/// The share at `name`, with its interval.
HtmlCell rate_cell(const json& rates, const std::string& name) {
  const auto low = number_at(rates, {name + "_low"}), high = number_at(rates, {name + "_high"});
  const bool has_interval = low && high;
  return {percent(number_at(rates, {name})), "",
          has_interval ? fmt::format(" <span class=\"interval\">[{}, {}]</span>", percent(low), percent(high)) : ""};
}

std::string mean_text(const std::optional<MeanAndDeviation>& value) {
  return value ? fmt::format("{:.3f} ± {:.3f}", value->mean, value->deviation) : fixed(std::nullopt, 3);
}

std::vector<Scored> scored_cells(const std::vector<Variant>& variants, const std::string& split) {
  std::vector<Scored> scored;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    for (const json* cell : variants[v].cells) {
      const json& scores = at_path(*cell, {"scores", split});
      if (scores.is_object()) scored.push_back({string_at(*cell, {"name"}), cell, &scores, v});
    }
  }
  return scored;
}

/// The largest number at `path` of all cells, to be marked; absent where only one cell has it.
std::optional<double> best_of(const std::vector<Scored>& cells, std::initializer_list<std::string_view> path) {
  std::optional<double> best;
  int count = 0;
  for (const Scored& cell : cells) {
    const auto value = number_at(*cell.scores, path);
    count += value.has_value();
    if (value && (!best || *value > *best)) best = value;
  }
  return count > 1 ? best : std::nullopt;
}

std::string headline_table(const std::vector<Variant>& variants, const std::vector<Scored>& cells,
                           const std::string& split) {
  HtmlTable table({"Cell", "Precision", "Recall", "F1 strict", "F1 repaired", "F1 trimmed", "Macro F1", "Exact",
                   "Partial", "Type", "Well-formed", "Characters leaked"});
  const auto best_raw = best_of(cells, {"raw", "strict", "f1"});
  const auto best_repaired = best_of(cells, {"repaired", "strict", "f1"});
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const json& scores = *cells[i].scores;
    const auto number = [&](std::string_view reading, std::string_view scheme, std::string_view metric) {
      return number_at(scores, {reading, scheme, metric});
    };
    const auto raw = number("raw", "strict", "f1"), repaired = number("repaired", "strict", "f1");
    table.add_row({cells[i].name, fixed(number("raw", "strict", "precision"), 3),
                   fixed(number("raw", "strict", "recall"), 3),
                   HtmlCell(fixed(raw, 3), raw && raw == best_raw ? "best" : "",
                            interval_markup(at_path(scores, {"raw", "strict"}))),
                   HtmlCell(fixed(repaired, 3), repaired && repaired == best_repaired ? "best" : ""),
                   fixed(number("raw", "trim_punct", "f1"), 3), fixed(number("raw", "macro", "f1"), 3),
                   fixed(number("raw", "exact", "f1"), 3), fixed(number("raw", "partial", "f1"), 3),
                   fixed(number("raw", "type", "f1"), 3), percent(number_at(scores, {"health", "well_formed"})),
                   percent(number_at(scores, {"leak", "character_leak_rate"}))});
    const Variant& variant = variants[cells[i].variant];
    const bool last_of_variant = i + 1 == cells.size() || cells[i + 1].variant != cells[i].variant;
    if (!last_of_variant || variant.cells.size() < 2) continue;
    std::vector<const json*> scores_of_seeds;
    for (const json* cell : variant.cells) scores_of_seeds.push_back(&at_path(*cell, {"scores", split}));
    const auto only_mean = [&](std::initializer_list<std::string_view> path) {
      const auto value = mean_over(scores_of_seeds, path);
      return value ? std::optional(value->mean) : std::nullopt;
    };
    table.add_row(
        {fmt::format("{}: mean ± sd of {} seeds", variant.name, variant.cells.size()),
         fixed(only_mean({"raw", "strict", "precision"}), 3), fixed(only_mean({"raw", "strict", "recall"}), 3),
         mean_text(mean_over(scores_of_seeds, {"raw", "strict", "f1"})),
         mean_text(mean_over(scores_of_seeds, {"repaired", "strict", "f1"})),
         fixed(only_mean({"raw", "trim_punct", "f1"}), 3), fixed(only_mean({"raw", "macro", "f1"}), 3),
         fixed(only_mean({"raw", "exact", "f1"}), 3), fixed(only_mean({"raw", "partial", "f1"}), 3),
         fixed(only_mean({"raw", "type", "f1"}), 3), percent(only_mean({"health", "well_formed"})),
         percent(only_mean({"leak", "character_leak_rate"}))},
        "mean");
  }
  return table.str();
}

std::string f1_chart(const std::vector<Scored>& cells, const std::string& split) {
  std::vector<BarGroup> groups;
  for (const Scored& cell : cells) {
    BarGroup group{.label = cell.name, .bars = {}};
    for (const auto& [reading, pale] : {std::pair{"raw", ""}, std::pair{"repaired", " pale"}}) {
      const json& strict = at_path(*cell.scores, {reading, "strict"});
      const auto f1 = number_at(strict, {"f1"});
      group.bars.push_back({.segments = {{.value = f1.value_or(0.0),
                                          .style = series_style(cell.variant) + pale,
                                          .note = fmt::format("{}, {}: F1 {}", cell.name, reading, fixed(f1, 3))}},
                            .low = number_at(strict, {"f1_low"}),
                            .high = number_at(strict, {"f1_high"}),
                            .text = fmt::format("{} {}", fixed(f1, 3), reading)});
    }
    groups.push_back(std::move(group));
  }
  return fmt::format("<figure>{}</figure>\n", bar_chart(groups, {.title = "Strict F1 with 95 % intervals on " + split,
                                                                 .x_name = "strict micro F1",
                                                                 .x_max = 1.0}));
}

std::string comparison_part(const json& summary, const std::string& split) {
  HtmlTable table(
      {"A", HtmlCell("B", "left"), "Metric", "Reading", "F1(A) − F1(B)", "p", "p (Holm)", HtmlCell("", "left")});
  const json& comparisons = at_path(summary, {"comparisons"});
  if (comparisons.is_array()) {
    for (const json& row : comparisons) {
      if (string_at(row, {"split"}) != split) continue;
      const auto difference = number_at(row, {"difference"}), p_holm = number_at(row, {"p_holm"});
      const auto low = number_at(row, {"low"}), high = number_at(row, {"high"});
      const bool differs = difference && p_holm && *p_holm < 0.05;
      table.add_row(
          {string_at(row, {"a"}), HtmlCell(string_at(row, {"b"}), "left"), string_at(row, {"metric"}),
           string_at(row, {"reading"}),
           HtmlCell(difference ? fmt::format("{:+.3f}", *difference) : fixed(difference, 3), "",
                    low && high ? fmt::format(" <span class=\"interval\">[{:+.3f}, {:+.3f}]</span>", *low, *high) : ""),
           fixed(number_at(row, {"p_value"}), 4), fixed(p_holm, 4),
           HtmlCell(!differs          ? "no difference shown"
                    : *difference > 0 ? "A is better"
                                      : "B is better",
                    "left")});
    }
  }
  if (table.empty()) return "";
  return "<h3>Comparisons</h3>\n<p class=\"soft\">Paired approximate randomization: all answers to the texts of a "
         "template are swapped "
         "between A and B at random. Holm's correction covers the rows of one metric; free answers among each other, "
         "and "
         "beside constrained ones, are corrected apart. The verdict is at 5 %. Intervals are 95 %, by "
         "a paired "
         "bootstrap over templates. Cells that differ by seed alone are pooled.</p>\n" +
         table.str();
}

std::string error_part(const std::vector<Scored>& cells, const std::string& split) {
  struct Kind {
    std::string_view key, style, name;
  };
  constexpr std::array kKinds = {
      Kind{"boundary", "kind-boundary", "boundary: right label, other span"},
      Kind{"type", "kind-type", "type: right span, other label"}, Kind{"boundary_and_type", "kind-both", "both"},
      Kind{"missed", "kind-missed", "missed"}, Kind{"spurious", "kind-spurious", "spurious"}};
  std::vector<LegendEntry> legend;
  for (const Kind& kind : kKinds) legend.push_back({std::string(kind.style), std::string(kind.name)});
  std::vector<BarGroup> groups;
  for (const Scored& cell : cells) {
    Bar bar;
    double total = 0.0;
    for (const Kind& kind : kKinds) {
      const double count = number_at(*cell.scores, {"errors", kind.key}).value_or(0.0);
      total += count;
      bar.segments.push_back(
          {count, std::string(kind.style), fmt::format("{}: {} {:.0f}", cell.name, kind.key, count)});
    }
    bar.text = fmt::format("{:.0f}", total);
    groups.push_back({.label = cell.name, .bars = {std::move(bar)}});
  }
  return "<h3>Errors by kind</h3>\n<p class=\"soft\">Each gold or predicted entity that is not exactly right is in one "
         "kind, in the raw "
         "reading. An overlapping pair counts once.</p>\n" +
         html_legend(legend) +
         fmt::format("<figure>{}</figure>\n",
                     bar_chart(groups, {.title = "Errors by kind on " + split, .x_name = "entities", .x_max = {}}));
}

std::string place_part(const std::vector<Scored>& cells) {
  HtmlTable table({"Cell", "Gold entities", "Value right, offset wrong", "Share of gold", "Still so when repaired",
                   "Value F1", "Strict F1 raw", "Strict F1 repaired"});
  for (const Scored& cell : cells) {
    const json& scores = *cell.scores;
    const auto tp = number_at(scores, {"raw", "strict", "tp"}), fn = number_at(scores, {"raw", "strict", "fn"});
    const auto gold = tp && fn ? std::optional(*tp + *fn) : std::nullopt;
    const auto wrong = number_at(scores, {"errors", "offset_wrong_value_right"});
    const auto share = gold && *gold > 0 && wrong ? std::optional(*wrong / *gold) : std::nullopt;
    table.add_row({cell.name, grouped(gold), grouped(wrong), percent(share),
                   grouped(number_at(scores, {"errors_repaired", "offset_wrong_value_right"})),
                   fixed(number_at(scores, {"value", "f1"}), 3), fixed(number_at(scores, {"raw", "strict", "f1"}), 3),
                   fixed(number_at(scores, {"repaired", "strict", "f1"}), 3)});
  }
  return "<h3>Right value, wrong place</h3>\n<div class=\"note\"><p>An answer can name an entity's text and label and "
         "still point to the "
         "wrong place: offsets that are counted wrongly, a copy of the text that slips, the wrong occurrence of a "
         "value that is there "
         "twice. The raw reading takes places as the answer gives them; the repaired reading looks the values up in "
         "the text, by the same rules for "
         "every format. Value F1 asks for the distinct label and value alone, wherever they stand.</p></div>\n" +
         table.str();
}

std::string label_part(const json& summary, const std::vector<Variant>& variants, const std::string& split) {
  std::vector<HtmlCell> header = {"Label", "Support"};
  std::vector<std::size_t> shown;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    if (!at_path(*variants[v].cells.front(), {"scores", split, "per_label"}).is_object()) continue;
    shown.push_back(v);
    header.emplace_back(variants[v].name);
  }
  std::vector<std::string> labels;
  const json& list = at_path(summary, {"labels"});
  if (list.is_array()) {
    for (const json& label : list) labels.push_back(string_at(label, {"name"}));
  }
  HtmlTable table(std::move(header));
  // A row of what stands at scores.<split>.<group>.<key>.
  const auto add_row = [&](const std::string& name, std::string_view group, std::string_view key) {
    std::vector<HtmlCell> row = {name, ""};
    for (const std::size_t v : shown) {
      if (row[1].text.empty())
        row[1] = grouped(number_at(*variants[v].cells.front(), {"scores", split, group, key, "support"}));
      const auto f1 = mean_over(variants[v].cells, {"scores", split, group, key, "f1"});
      row.emplace_back(fixed(f1 ? std::optional(f1->mean) : std::nullopt, 3), "",
                       fmt::format("<span class=\"meter {}\"><i style=\"width:{:.1f}%\"></i></span>", series_style(v),
                                   100.0 * (f1 ? f1->mean : 0.0)));
    }
    table.add_row(std::move(row));
  };
  for (const std::string& label : labels) add_row(label, "per_label", label);
  if (table.empty() || shown.empty()) return "";
  if (const std::vector<std::string> held_out = held_out_labels(summary, split); !held_out.empty())
    add_row(fmt::format("Kept out of training: {}", fmt::join(held_out, ", ")), "held_out", "raw");
  return "<h3>Labels</h3>\n<p class=\"soft\">Strict F1 of each label in the raw reading; means where there are several "
         "seeds. Support is the "
         "number of gold entities.</p>\n" +
         table.str();
}

std::string leak_part(const std::vector<Scored>& cells) {
  HtmlTable table({"Cell", "Characters leaked", "Texts with a leak", "Values with a leak", "Untyped precision",
                   "Untyped F2", "Characters leaked, repaired", "Texts with a leak, repaired"});
  for (const Scored& cell : cells) {
    const json& scores = *cell.scores;
    const json &raw = at_path(scores, {"leak"}), &repaired = at_path(scores, {"leak_repaired"});
    table.add_row({cell.name, rate_cell(raw, "character_leak_rate"), rate_cell(raw, "document_leak_rate"),
                   rate_cell(raw, "surface_leak_rate"), fixed(number_at(scores, {"leak", "untyped", "precision"}), 3),
                   fixed(number_at(scores, {"leak", "untyped", "f2"}), 3), rate_cell(repaired, "character_leak_rate"),
                   rate_cell(repaired, "document_leak_rate")});
  }
  return "<h3>What would stay readable</h3>\n<p class=\"soft\">If every predicted span were masked, whatever its "
         "label: the share of gold "
         "characters, of texts that hold personal data, and of distinct values that would still show at least in "
         "part.</p>\n" +
         table.str();
}

/// Share of each label's gold characters that stay readable: raw reading, then repaired.
std::string label_leak_part(const std::vector<Scored>& cells) {
  std::vector<HtmlCell> header = {"Label", "Characters"};
  std::vector<std::string> labels;
  for (const Scored& cell : cells) {
    header.emplace_back(cell.name);
    header.emplace_back("repaired");
    const json& per_label = at_path(*cell.scores, {"leak", "per_label"});
    if (!per_label.is_object()) continue;
    for (const auto& [label, leak] : per_label.items()) {
      if (std::find(labels.begin(), labels.end(), label) == labels.end() &&
          number_at(leak, {"gold_characters"}).value_or(0.0) > 0.0)
        labels.push_back(label);
    }
  }
  HtmlTable table(std::move(header));
  for (const std::string& label : labels) {
    std::optional<double> characters;
    std::vector<HtmlCell> shares;
    for (const Scored& cell : cells) {
      const json& scores = *cell.scores;
      if (!characters) characters = number_at(scores, {"leak", "per_label", label, "gold_characters"});
      for (const std::string_view reading : {"leak", "leak_repaired"})
        shares.emplace_back(percent(number_at(scores, {reading, "per_label", label, "character_leak_rate"})));
    }
    std::vector<HtmlCell> row = {label, grouped(characters)};
    row.insert(row.end(), shares.begin(), shares.end());
    table.add_row(std::move(row));
  }
  if (table.empty()) return "";
  return "<p class=\"soft\">The share of each label's gold characters that would still show, as answered and "
         "repaired:</p>\n" +
         table.str();
}

std::string health_part(const std::vector<Scored>& cells) {
  constexpr std::array kRates = {std::pair{"parsed", "Parsed"},
                                 std::pair{"well_formed", "Well-formed"},
                                 std::pair{"copy_exact", "Copied exactly"},
                                 std::pair{"copy_cer", "Copy: character error rate"},
                                 std::pair{"hit_max_tokens", "Cut at the limit"},
                                 std::pair{"unparsable", "Unparsable"},
                                 std::pair{"unknown_label", "Unknown label"},
                                 std::pair{"unbalanced", "Unbalanced"},
                                 std::pair{"empty_value", "Empty value"},
                                 std::pair{"not_in_text", "Not in the text"},
                                 std::pair{"copy_differs", "Copy differs"},
                                 std::pair{"offset_wrong", "Offset wrong"},
                                 std::pair{"ambiguous_value", "Ambiguous value"}};
  std::vector<HtmlCell> header = {"Cell"};
  for (const auto& [key, name] : kRates) header.emplace_back(name);
  HtmlTable table(std::move(header));
  for (const Scored& cell : cells) {
    if (!number_at(*cell.scores, {"health", "well_formed"})) continue;
    std::vector<HtmlCell> row = {cell.name};
    for (const auto& [key, name] : kRates) row.emplace_back(percent(number_at(*cell.scores, {"health", key})));
    table.add_row(std::move(row));
  }
  if (table.empty()) return "";
  return "<h3>Health of the answers</h3>\n<p class=\"soft\">Share of answers, as generated. The character error rate "
         "of the copy is edits over the text's length, pooled, in formats that copy the text.</p>\n" +
         table.str();
}

}  // namespace

std::string score_section(const json& summary, const std::string& split) {
  const std::vector<Variant> variants = variants_of(summary);
  const std::vector<Scored> cells = scored_cells(variants, split);
  if (cells.empty()) return "";
  const json& first = *cells.front().scores;
  std::string html = fmt::format("<section>\n<h2>Scores on {}</h2>\n", html_escaped(split));
  html += fmt::format(
      "<p class=\"soft\">{} texts in {} groups. Raw reading, micro averages over pooled counts: strict asks for span "
      "and label, exact "
      "for the span, type for overlap and label; partial gives half a point for an overlap. Trimmed is strict where "
      "punctuation at the edges of spans does not count. Intervals are 95 %, by a "
      "bootstrap over "
      "groups (templates).</p>\n",
      grouped(number_at(first, {"documents"})), grouped(number_at(first, {"groups"})));
  html += headline_table(variants, cells, split) + f1_chart(cells, split) + comparison_part(summary, split) +
          error_part(cells, split) + place_part(cells) + label_part(summary, variants, split) + leak_part(cells) +
          label_leak_part(cells) + health_part(cells);
  return html + "</section>\n";
}

}  // namespace entune
