#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/output_format.h"

namespace entune {

/// An answer that copies the text and marks entities within the copy: what the reader of the marks has found.
struct InlineCopy {
  /// An entity: the bytes [begin, end) of the answer, marks inside them included.
  struct Span {
    std::string label;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  std::string answer;         ///< valid UTF-8
  std::vector<char> is_mark;  ///< per byte of the answer: belongs to a mark, not to the copy
  std::vector<Span> spans;    ///< any order

  explicit InlineCopy(std::string valid_answer) : answer(std::move(valid_answer)), is_mark(answer.size(), 0) {}
  void mark(std::size_t begin, std::size_t end);
};

/// The text with every entity replaced by `mark(value, label)`. The entities are sorted and do not overlap.
std::string write_copy(const Example& example,
                       const std::function<std::string(std::string_view value, const std::string& label)>& mark);

/// How many entities may be open at once in an inline format; beyond it the one opened first is given up. Bounds what a
/// hostile answer costs.
inline constexpr std::size_t kMaxOpenEntities = 8;

/// Takes the marks out, counts offsets in what remains, adds mentions, the copy's distance and the faults
/// empty_value and copy_differs to `parsed`, and aligns. A raw place beyond the input's end is none.
void read_copy(InlineCopy copy, std::string_view input, ParsedAnswer& parsed);

}  // namespace entune
