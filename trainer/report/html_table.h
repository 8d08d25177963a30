#pragma once

#include <string>
#include <utility>
#include <vector>

namespace entune {

/// One entry of an HtmlTable: `text` is escaped, `markup` follows it as it is (drawings of the report's own making).
struct HtmlCell {
  HtmlCell(std::string text = "", std::string style = "", std::string markup = "")
      : text(std::move(text)), style(std::move(style)), markup(std::move(markup)) {}
  HtmlCell(const char* text) : HtmlCell(std::string(text)) {}

  std::string text;
  std::string style;  ///< CSS classes
  std::string markup;
};

/// A <table> that scrolls sideways where it is wider than the page.
class HtmlTable {
 public:
  explicit HtmlTable(std::vector<HtmlCell> header) : header_(std::move(header)) {}
  void add_row(std::vector<HtmlCell> row, std::string style = "");
  bool empty() const { return rows_.empty(); }
  std::string str() const;

 private:
  struct Row {
    std::vector<HtmlCell> cells;
    std::string style;
  };
  std::vector<HtmlCell> header_;
  std::vector<Row> rows_;
};

/// A <ul> of colours and what they stand for.
struct LegendEntry {
  std::string style;
  std::string name;
};
std::string html_legend(const std::vector<LegendEntry>& entries);

}  // namespace entune
