#include "trainer/report/html_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "trainer/report/coverage_table.h"
#include "trainer/report/html_page.h"
#include "trainer/report/html_table.h"
#include "trainer/report/html_text.h"
#include "trainer/report/score_section.h"
#include "trainer/report/summary_file.h"
#include "trainer/report/summary_numbers.h"
#include "trainer/report/training_section.h"

namespace entune {
namespace {

using nlohmann::json;

std::string scalar_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return grouped(value.get<double>());
  if (value.is_null()) return "–";
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

struct Fact {
  std::string value;
  std::string name;
};

/// The cell with the largest strict F1 in the raw reading on the first split.
std::vector<Fact> best_fact(const json& summary) {
  const std::vector<std::string> splits = splits_of(summary);
  if (splits.empty()) return {};
  const json* best = nullptr;
  std::optional<double> best_f1;
  for (const json& cell : summary.at("cells")) {
    const auto f1 = number_at(cell, {"scores", splits.front(), "raw", "strict", "f1"});
    if (!f1 || (best_f1 && *f1 <= *best_f1)) continue;
    best = &cell;
    best_f1 = f1;
  }
  if (best == nullptr) return {};
  return {{fixed(best_f1, 3), fmt::format("highest strict F1 on {}: {}", splits.front(), string_at(*best, {"name"}))}};
}

/// "Model a", or "Models a, b" of a study that varies it.
std::string models(const json& summary) {
  std::vector<std::string> paths;
  for (const json& cell : at_path(summary, {"cells"})) {
    const std::string path = string_at(cell, {"model", "path"});
    if (!path.empty() && std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  }
  return paths.empty() ? "" : fmt::format("Model{} {}", paths.size() > 1 ? "s" : "", fmt::join(paths, ", "));
}

std::string header(const json& summary) {
  std::vector<Fact> facts = best_fact(summary);
  const json& cells = at_path(summary, {"cells"});
  facts.push_back({std::to_string(cells.is_array() ? cells.size() : 0), "cells"});
  for (const char* split : {"train", "validation", "test"}) {
    const json& size = at_path(summary, {"corpus", split});
    if (size.is_number()) facts.push_back({scalar_text(size), fmt::format("{} texts", split)});
  }
  if (number_at(summary, {"ranks"})) facts.push_back({grouped(number_at(summary, {"ranks"})), "ranks"});

  std::string html =
      fmt::format("<header>\n<h1>{}</h1>\n<p class=\"soft\">", html_escaped(string_at(summary, {"name"})));
  std::vector<std::string> parts;
  if (const std::string named = models(summary); !named.empty()) parts.push_back(named);
  if (const std::string created = string_at(summary, {"created"}); !created.empty()) parts.push_back(created);
  for (std::size_t i = 0; i < parts.size(); ++i) html += (i ? " · " : "") + html_escaped(parts[i]);
  html += "</p>\n<ul class=\"facts\">";
  for (const Fact& fact : facts) {
    html += fmt::format("<li><b>{}</b><span>{}</span></li>", html_escaped(fact.value), html_escaped(fact.name));
  }
  return html + "</ul>\n</header>\n";
}

/// The leaves of `value` as rows "path: value".
void add_rows(HtmlTable& table, const std::string& path, const json& value) {
  if (!value.is_object()) {
    table.add_row({path, scalar_text(value)});
    return;
  }
  for (const auto& [key, member] : value.items()) add_rows(table, path.empty() ? key : path + " / " + key, member);
}

std::string corpus_section(const json& summary) {
  std::string html;
  const json& corpus = at_path(summary, {"corpus"});
  if (corpus.is_object()) {
    HtmlTable table({"Part", "Texts"}), left_out({"Reason", "Texts"});
    for (const auto& [key, value] : corpus.items()) {
      if (key != "left_out") add_rows(table, key, value);
    }
    add_rows(left_out, "", at_path(corpus, {"left_out"}).is_object() ? corpus.at("left_out") : json::object());
    if (!table.empty()) html += table.str();
    html += "<h3>Left out</h3>\n";
    html += left_out.empty() ? "<p class=\"soft\">Nothing.</p>\n"
                             : "<p class=\"soft\">Left out of every cell, so that all cells see the same texts.</p>\n" +
                                   left_out.str();
  }
  const json& labels = at_path(summary, {"labels"});
  if (labels.is_array() && !labels.empty()) {
    HtmlTable table({"Label", HtmlCell("Description", "left")});
    for (const json& label : labels) {
      table.add_row({string_at(label, {"name"}), HtmlCell(string_at(label, {"description"}), "left")});
    }
    html += fmt::format("<details><summary>{} labels</summary>\n{}</details>\n", labels.size(), table.str());
  }
  return html.empty() ? "" : "<section>\n<h2>Corpus</h2>\n" + html + "</section>\n";
}

std::string recipe_section(const json& summary) {
  const json& recipe = at_path(summary, {"recipe"});
  if (recipe.is_null()) return "";
  const std::string text =
      recipe.is_string() ? recipe.get<std::string>() : recipe.dump(2, ' ', false, json::error_handler_t::replace);
  return fmt::format(
      "<section>\n<h2>Recipe</h2>\n<details><summary>The resolved recipe of this "
      "run</summary>\n<pre>{}</pre></details>\n</section>\n",
      html_escaped(text));
}

}  // namespace

std::string html_report(const json& summary, const std::string& examples) {
  std::string body = header(summary);
  for (const std::string& split : splits_of(summary)) body += score_section(summary, split);
  body += examples;
  body += loss_section(summary) + cost_section(summary) + corpus_section(summary) + coverage_section(summary) +
          recipe_section(summary);
  return html_page(string_at(summary, {"name"}), body, !examples.empty());
}

void write_html_report(const std::filesystem::path& path, const json& summary, const std::string& examples) {
  write_file_whole(path, html_report(summary, examples));
}

}  // namespace entune
