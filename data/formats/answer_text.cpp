#include "data/formats/answer_text.h"

#include <utf8.h>

#include <iterator>

namespace entune {

std::string valid_utf8(std::string_view answer) {
  std::string valid;
  valid.reserve(answer.size());
  utf8::replace_invalid(answer.begin(), answer.end(), std::back_inserter(valid), 0xFFFD);
  return valid;
}

bool reads_back(const OutputFormat& format, const Example& example) {
  const ParsedAnswer answer = format.parse(format.render(example), example.text);
  return answer.faults == decltype(answer.faults){} && answer.raw() == example.entities &&
         answer.repaired() == example.entities;
}

}  // namespace entune
