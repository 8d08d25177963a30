#include "trainer/report/coverage_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "trainer/report/html_table.h"
#include "trainer/report/html_text.h"
#include "trainer/report/summary_numbers.h"
#include "trainer/report/text_table.h"

namespace entune {
namespace {

using nlohmann::json;

std::string joined(const json& names) {
  std::vector<std::string> list;
  for (const json& name : names) {
    if (name.is_string()) list.push_back(one_line(name.get<std::string>()));
  }
  return fmt::format("{}", fmt::join(list, ", "));
}

std::string class_of(const json& row) {
  return fmt::format("({}) {}", string_at(row, {"class"}), string_at(row, {"name"}));
}

/// Sentences on the labels that belong to no class, and on those that no training showed, or "".
std::string remarks(const json& coverage) {
  const std::string others = joined(at_path(coverage, {"labels_without_class"}));
  const std::string unseen = joined(at_path(coverage, {"labels_kept_out_of_training"}));
  std::string text;
  if (!others.empty()) text = fmt::format("In no class by their names: {}.", others);
  if (!unseen.empty()) text += fmt::format("{}Kept out of training: {}.", text.empty() ? "" : " ", unseen);
  return text;
}

}  // namespace

std::string coverage_text(const json& coverage) {
  std::vector<std::vector<std::string>> rows = {{"class of 45 CFR 164.514(b)(2)(i)", "coverage", "by labels", "note"}};
  for (const json& row : coverage.at("classes"))
    rows.push_back({class_of(row), string_at(row, {"coverage"}), joined(row["labels"]), string_at(row, {"note"})});
  std::vector<std::size_t> widths(3, 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i)
      line += row[i] + std::string(widths[i] - display_width(row[i]) + 2, ' ');
    line += row.back();
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  const std::string others = remarks(coverage);
  return text + (others.empty() ? "" : others + "\n") + string_at(coverage, {"statement"}) + "\n";
}

std::string coverage_section(const json& summary) {
  const json& coverage = at_path(summary, {"coverage"});
  if (!at_path(coverage, {"classes"}).is_array()) return "";
  HtmlTable table({"Class", HtmlCell("Coverage", "left"), HtmlCell("By labels", "left"), HtmlCell("Note", "left")});
  for (const json& row : coverage["classes"]) {
    table.add_row({class_of(row), HtmlCell(string_at(row, {"coverage"}), "left"),
                   HtmlCell(joined(at_path(row, {"labels"})), "left"),
                   HtmlCell(string_at(row, {"note"}), "left wrap")});
  }
  return fmt::format(
      "<section>\n<h2>Labels and the Safe Harbor classes</h2>\n<p class=\"soft\">Which of the 18 classes of 45 CFR "
      "164.514(b)(2)(i) have a label, matched by the labels' names. {}</p>\n{}<p class=\"soft\">{}</p>\n</section>\n",
      html_escaped(remarks(coverage)), table.str(), html_escaped(string_at(coverage, {"statement"})));
}

}  // namespace entune
