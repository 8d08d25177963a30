#include "data/formats/inline_copy.h"

#include <algorithm>
#include <tuple>

#include "data/code_points.h"
#include "data/formats/alignment.h"
#include "data/formats/answer_text.h"
#include "data/formats/copy_distance.h"

namespace entune {

void InlineCopy::mark(std::size_t begin, std::size_t end) {
  std::fill(is_mark.begin() + static_cast<std::ptrdiff_t>(begin), is_mark.begin() + static_cast<std::ptrdiff_t>(end),
            1);
}

std::string write_copy(const Example& example,
                       const std::function<std::string(std::string_view value, const std::string& label)>& mark) {
  const CodePointIndex index(example.text);
  std::string answer;
  std::int64_t done = 0;
  for (const Entity& entity : example.entities) {
    answer += index.slice(done, entity.start);
    answer += mark(index.slice(entity.start, entity.end), entity.label);
    done = entity.end;
  }
  answer += index.slice(done, index.size());
  return answer;
}

void read_copy(InlineCopy copy, std::string_view input, ParsedAnswer& parsed) {
  const CodePointIndex index(input);
  std::string kept;
  // Bytes and code points of the copy before each byte of the answer.
  std::vector<std::size_t> bytes(copy.answer.size() + 1, 0);
  std::vector<std::int64_t> points(copy.answer.size() + 1, 0);
  std::int64_t num_points = 0;
  for (std::size_t i = 0; i < copy.answer.size(); ++i) {
    bytes[i] = kept.size();
    points[i] = num_points;
    if (copy.is_mark[i]) continue;
    kept += copy.answer[i];
    if ((static_cast<unsigned char>(copy.answer[i]) & 0xC0) != 0x80) ++num_points;
  }
  bytes.back() = kept.size();
  points.back() = num_points;
  if (kept != input) count(parsed, AnswerFault::copy_differs);
  parsed.copy = copy_distance(kept, input);

  std::stable_sort(copy.spans.begin(), copy.spans.end(), [](const InlineCopy::Span& a, const InlineCopy::Span& b) {
    return std::tuple(a.begin, b.end) < std::tuple(b.begin, a.end);
  });
  for (const InlineCopy::Span& span : copy.spans) {
    const Entity place{points[span.begin], points[span.end], span.label};
    if (place.start == place.end) {
      count(parsed, AnswerFault::empty_value);
      continue;
    }
    Mention mention{kept.substr(bytes[span.begin], bytes[span.end] - bytes[span.begin]), span.label, {}, {}};
    if (place.end <= index.size()) mention.raw = place;
    parsed.mentions.push_back(std::move(mention));
  }
  align(parsed, input, index);
}

}  // namespace entune
