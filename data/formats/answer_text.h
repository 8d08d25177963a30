#pragma once

#include <string>
#include <string_view>

#include "data/formats/output_format.h"

namespace entune {

/// A model's answer as valid UTF-8: each invalid piece becomes U+FFFD.
std::string valid_utf8(std::string_view answer);

inline void count(ParsedAnswer& answer, AnswerFault fault, std::int64_t times = 1) {
  answer.faults[static_cast<std::size_t>(fault)] += times;
}

/// "value" is LABEL; ... for each entity: a piece of explanations.
std::string list_entities(const Example& example);

/// Whether a format reads its own rendering of the example back, raw and repaired, without a fault. The example must be
/// one that ClosedLabels accepts.
bool reads_back(const OutputFormat& format, const Example& example);

}  // namespace entune
