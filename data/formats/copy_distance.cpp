#include "data/formats/copy_distance.h"

#include <utf8.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <unordered_map>
#include <vector>

namespace entune {
namespace {

constexpr std::size_t kBits = 64;

/// 64 rows of a column of the table of distances, as the differences of neighbouring rows: bit i of `up` (`down`) says
/// that row i + 1 holds one more (less) than row i.
struct Block {
  std::uint64_t up = ~std::uint64_t{0};
  std::uint64_t down = 0;

  /// Goes on by one column. `equal`: the rows whose code point is the column's; `above`: by how much the row above the
  /// block has changed (-1, 0 or 1). Returns the same for the row of the bit `last`.
  int advance(std::uint64_t equal, int above, std::uint64_t last) {
    const std::uint64_t vertical = equal | down;
    if (above < 0) equal |= 1;
    const std::uint64_t horizontal = (((equal & up) + up) ^ up) | equal;
    std::uint64_t more = down | ~(horizontal | up);
    std::uint64_t less = up & horizontal;
    const int below = (more & last) != 0 ? 1 : (less & last) != 0 ? -1 : 0;
    more = more << 1 | static_cast<std::uint64_t>(above > 0);
    less = less << 1 | static_cast<std::uint64_t>(above < 0);
    up = less | ~(vertical | more);
    down = more & vertical;
    return below;
  }
};

/// The distance of two texts that are not empty, 64 rows at a time: G. Myers, A fast bit-vector algorithm for
/// approximate string matching, JACM 46(3), 1999, with the first row of a whole comparison (H. Hyyrö, 2003).
std::int64_t table_distance(std::u32string_view columns, std::u32string_view rows) {
  const std::size_t num_blocks = (rows.size() + kBits - 1) / kBits;
  std::unordered_map<char32_t, std::vector<std::uint64_t>> rows_of;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::uint64_t>& bits = rows_of[rows[i]];
    bits.resize(num_blocks);
    bits[i / kBits] |= std::uint64_t{1} << (i % kBits);
  }
  const std::vector<std::uint64_t> nowhere(num_blocks);
  const std::uint64_t last_row = std::uint64_t{1} << ((rows.size() - 1) % kBits);

  std::vector<Block> blocks(num_blocks);
  auto distance = static_cast<std::int64_t>(rows.size());
  for (const char32_t c : columns) {
    const auto found = rows_of.find(c);
    const std::vector<std::uint64_t>& equal = found == rows_of.end() ? nowhere : found->second;
    int change = 1;  // the row above the first one counts the columns
    for (std::size_t b = 0; b < num_blocks; ++b) {
      change = blocks[b].advance(equal[b], change, b + 1 == num_blocks ? last_row : std::uint64_t{1} << (kBits - 1));
    }
    distance += change;
  }
  return distance;
}

std::u32string code_points(std::string_view text) {
  std::u32string result;
  utf8::utf8to32(text.begin(), text.end(), std::back_inserter(result));
  return result;
}

}  // namespace

std::int64_t edit_distance(std::u32string_view a, std::u32string_view b) {
  const auto same_front = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  a.remove_prefix(static_cast<std::size_t>(same_front));
  b.remove_prefix(static_cast<std::size_t>(same_front));
  const auto same_back = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend()).first - a.rbegin();
  a.remove_suffix(static_cast<std::size_t>(same_back));
  b.remove_suffix(static_cast<std::size_t>(same_back));

  const std::u32string_view first = a.substr(0, kMaxComparedCodePoints), second = b.substr(0, kMaxComparedCodePoints);
  const auto beyond = static_cast<std::int64_t>(std::max(a.size() - first.size(), b.size() - second.size()));
  if (first.empty() || second.empty()) return static_cast<std::int64_t>(std::max(first.size(), second.size())) + beyond;
  return table_distance(first, second) + beyond;
}

CopyDistance copy_distance(std::string_view copy, std::string_view original) {
  const std::u32string expected = code_points(original);
  return {.edits = edit_distance(code_points(copy), expected), .length = static_cast<std::int64_t>(expected.size())};
}

}  // namespace entune
