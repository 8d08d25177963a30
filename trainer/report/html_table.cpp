#include "trainer/report/html_table.h"

#include <fmt/format.h>

#include "trainer/report/html_text.h"

namespace entune {
namespace {

std::string class_attribute(const std::string& style) {
  return style.empty() ? "" : fmt::format(" class=\"{}\"", html_escaped(style));
}

}  // namespace

void HtmlTable::add_row(std::vector<HtmlCell> row, std::string style) {
  row.resize(header_.size());
  rows_.push_back({.cells = std::move(row), .style = std::move(style)});
}

std::string HtmlTable::str() const {
  std::string html = "<div class=\"scroll\"><table>\n<thead><tr>";
  for (const HtmlCell& cell : header_) {
    html +=
        fmt::format("<th scope=\"col\"{}>{}{}</th>", class_attribute(cell.style), html_escaped(cell.text), cell.markup);
  }
  html += "</tr></thead>\n<tbody>\n";
  for (const Row& row : rows_) {
    html += fmt::format("<tr{}>", class_attribute(row.style));
    for (const HtmlCell& cell : row.cells) {
      html += fmt::format("<td{}>{}{}</td>", class_attribute(cell.style), html_escaped(cell.text), cell.markup);
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string html_legend(const std::vector<LegendEntry>& entries) {
  std::string html = "<ul class=\"legend\">";
  for (const LegendEntry& entry : entries) {
    html += fmt::format("<li><i class=\"{}\"></i>{}</li>", html_escaped(entry.style), html_escaped(entry.name));
  }
  return html + "</ul>\n";
}

}  // namespace entune
