#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/readers/json_sample.h"
#include "data/readers/readers.h"

namespace entune {
namespace {

constexpr JsonSampleKeys kKeys{"text", "entities", "start", "end", "label", "value"};

RawSample read_line(std::string_view text, const std::string& group_key, std::int64_t line) {
  if (text.size() > kMaxLineBytes) {
    throw SampleError(line, fmt::format("expected a line of at most {} bytes, found {}", kMaxLineBytes, text.size()));
  }
  if (text.find_first_not_of(" \t") == std::string_view::npos) {
    throw SampleError(line, "expected a JSON object, found an empty line");
  }
  return json_to_sample(parse_strict_json(text, line), kKeys, group_key, line);
}

}  // namespace

void read_jsonl(std::string_view contents, const std::string& group_key, SampleSink& sink) {
  std::int64_t line = 0;
  while (!contents.empty()) {
    const std::size_t newline = contents.find('\n');
    std::string_view text = contents.substr(0, newline);
    contents.remove_prefix(newline == std::string_view::npos ? contents.size() : newline + 1);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    ++line;
    if (text.empty() && contents.empty()) return;
    try {
      sink.add(read_line(text, group_key, line));
    } catch (const SampleError& error) {
      sink.reject(error);
    }
  }
}

}  // namespace entune
