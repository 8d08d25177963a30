#include "trainer/report/text_table.h"

#include <utf8.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace entune {
namespace {

struct Range {
  char32_t first, last;
};

bool in(char32_t c, const auto& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const Range& range) { return c >= range.first && c <= range.last; });
}

// The blocks that matter in names; a terminal's own tables are finer.
constexpr std::array kZeroWidth = {Range{0x0300, 0x036F}, Range{0x0483, 0x0489}, Range{0x0591, 0x05BD},
                                   Range{0x064B, 0x065F}, Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF},
                                   Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F},
                                   Range{0xFE20, 0xFE2F}, Range{0xFEFF, 0xFEFF}, Range{0xE0100, 0xE01EF}};
constexpr std::array kDoubleWidth = {Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0xA4CF},
                                     Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},
                                     Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},
                                     Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF},
                                     Range{0x20000, 0x3FFFD}};

bool is_control(char32_t c) {
  // Line and paragraph separators and the marks that turn the direction of writing would also break the table.
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string space(width - std::min(width, display_width(text)), ' ');
  return left ? text + space : space + text;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string valid;
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(valid));
  std::string result;
  for (auto at = valid.begin(); at != valid.end();) {
    const char32_t c = utf8::unchecked::next(at);
    utf8::unchecked::append(is_control(c) ? U'\uFFFD' : c, std::back_inserter(result));
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  std::string valid;
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(valid));
  std::size_t width = 0;
  for (auto at = valid.begin(); at != valid.end();) {
    const char32_t c = utf8::unchecked::next(at);
    width += in(c, kZeroWidth) ? 0 : in(c, kDoubleWidth) ? 2 : 1;
  }
  return width;
}

TextTable::TextTable(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

void TextTable::add_row(std::vector<std::string> row) {
  for (std::string& entry : row) entry = one_line(entry);
  row.resize(rows_.front().size());
  rows_.push_back(std::move(row));
}

std::string TextTable::str() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string text;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) line += (i ? "  " : "") + padded(rows_[r][i], widths[i], i == 0);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
    if (r > 0) continue;
    std::size_t rule = 2 * (widths.size() - 1);
    for (const std::size_t width : widths) rule += width;
    for (std::size_t i = 0; i < rule; ++i) text += "─";
    text += '\n';
  }
  return text;
}

}  // namespace entune
