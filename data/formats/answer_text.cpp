#include "data/formats/answer_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utf8.h>

#include <iterator>
#include <vector>

#include "data/code_points.h"

namespace entune {

std::string valid_utf8(std::string_view answer) {
  std::string valid;
  valid.reserve(answer.size());
  utf8::replace_invalid(answer.begin(), answer.end(), std::back_inserter(valid), 0xFFFD);
  return valid;
}

std::string list_entities(const Example& example) {
  const CodePointIndex index(example.text);
  std::vector<std::string> entries;
  for (const Entity& entity : example.entities) {
    entries.push_back(fmt::format("\"{}\" is {}", index.slice(entity.start, entity.end), entity.label));
  }
  return fmt::format("{}", fmt::join(entries, "; "));
}

bool reads_back(const OutputFormat& format, const Example& example) {
  const ParsedAnswer answer = format.parse(format.render(example), example.text);
  return answer.faults == decltype(answer.faults){} && answer.raw() == example.entities &&
         answer.repaired() == example.entities;
}

}  // namespace entune
