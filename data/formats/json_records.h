#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/closed_labels.h"
#include "data/formats/output_format.h"

namespace entune {

/// The members of one flat JSON object that a format asks for.
struct JsonRecord {
  std::vector<std::string> strings;                   ///< in the order asked for
  std::vector<std::optional<std::int64_t>> integers;  ///< nullopt where absent or not an integer of 64 bits
};

/// Reads the first array of objects in any model output: text or a code fence before it and anything after it are
/// passed over, a cut-off array gives its complete objects. Counts unparsable: no array; an object that is not JSON,
/// nests deeper than 16, or lacks one of the `strings`; a missing or surplus comma; anything else among the objects or
/// a missing end (once, reading stops there). `answer` must be valid UTF-8. Linear in the answer.
std::vector<JsonRecord> read_json_records(std::string_view answer, const std::vector<std::string>& strings,
                                          const std::vector<std::string>& integers, ParsedAnswer& parsed);

/// The mention, still without a place, of a record whose strings are label and value. Nothing, and a count of
/// unknown_label or empty_value, where the label is not listed or the value is empty.
std::optional<Mention> unplaced_mention(const JsonRecord& record, const ClosedLabels& labels, ParsedAnswer& parsed);

/// `text` as a JSON string with its quotes; only quotes, backslashes and control characters are escaped.
std::string json_string(std::string_view text);

}  // namespace entune
