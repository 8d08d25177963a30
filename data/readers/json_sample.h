#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "data/readers/sample_sink.h"

namespace entune {

/// Parses one JSON value that begins on `line` of its file. Refuses what nlohmann-json lets pass: a duplicate key (the
/// last would win in silence) and nesting deeper than 64. Throws SampleError with the line of the fault and no text.
nlohmann::json parse_strict_json(std::string_view text, std::int64_t line);

/// Names of the members that hold a sample; `text` or `entities` null: the object need not have it, and it is not read.
struct JsonSampleKeys {
  const char* text;
  const char* entities;
  const char* start;
  const char* end;
  const char* label;
  const char* value;
};

/// Reads the members of a sample, each with its type: offsets are integers (1.0 and -1 are not turned into something
/// else), a missing list of entities is an error (a text without entities says []). Throws SampleError.
RawSample json_to_sample(const nlohmann::json& json, const JsonSampleKeys& keys, const std::string& group_key,
                         std::int64_t line);

}  // namespace entune
