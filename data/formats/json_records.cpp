#include "data/formats/json_records.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/formats/answer_text.h"

namespace entune {
namespace {

constexpr std::string_view kSpace = " \t\n\r";
constexpr int kMaxDepth = 16;

/// Where the array of objects begins: at the first "[" that an object or "]" follows, or npos.
std::size_t find_array(std::string_view answer) {
  for (std::size_t at = answer.find('['); at != answer.npos; at = answer.find('[', at + 1)) {
    const std::size_t next = answer.find_first_not_of(kSpace, at + 1);
    if (next != answer.npos && (answer[next] == '{' || answer[next] == ']')) return at;
  }
  return answer.npos;
}

/// Just behind the object that begins at `begin`, or npos if the answer ends within it. `depth` is how deep it nests.
std::size_t find_object_end(std::string_view answer, std::size_t begin, int& depth) {
  int open = 0;
  depth = 0;
  bool in_string = false;
  for (std::size_t at = begin; at < answer.size(); ++at) {
    const char c = answer[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      depth = std::max(depth, ++open);
    } else if ((c == '}' || c == ']') && --open == 0) {
      return at + 1;
    }
  }
  return answer.npos;
}

std::optional<std::int64_t> integer_of(const nlohmann::json& object, const std::string& name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
    return std::nullopt;
  return found->get<std::int64_t>();
}

std::optional<JsonRecord> record_of(std::string_view text, const std::vector<std::string>& strings,
                                    const std::vector<std::string>& integers) {
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  JsonRecord record;
  for (const std::string& name : strings) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) return std::nullopt;
    record.strings.push_back(found->get<std::string>());
  }
  for (const std::string& name : integers) record.integers.push_back(integer_of(object, name));
  return record;
}

}  // namespace

std::vector<JsonRecord> read_json_records(std::string_view answer, const std::vector<std::string>& strings,
                                          const std::vector<std::string>& integers, ParsedAnswer& parsed) {
  std::vector<JsonRecord> records;
  const auto unparsable = [&] { count(parsed, AnswerFault::unparsable); };
  std::size_t at = find_array(answer);
  if (at == answer.npos) {
    unparsable();
    return records;
  }
  ++at;
  bool object_allowed = true;  // at the beginning and after a comma
  bool end_allowed = true;     // at the beginning and after an object
  while (true) {
    at = answer.find_first_not_of(kSpace, at);
    if (at == answer.npos) {
      unparsable();
      return records;
    }
    if (answer[at] == '{') {
      int depth = 0;
      const std::size_t end = find_object_end(answer, at, depth);
      if (end == answer.npos || !object_allowed) unparsable();
      if (end == answer.npos) return records;
      std::optional<JsonRecord> record;
      if (depth <= kMaxDepth) record = record_of(answer.substr(at, end - at), strings, integers);
      if (record) {
        records.push_back(std::move(*record));
      } else {
        unparsable();
      }
      at = end;
      object_allowed = false;
      end_allowed = true;
    } else if (answer[at] == ',') {
      if (object_allowed) unparsable();
      object_allowed = true;
      end_allowed = false;
      ++at;
    } else {
      if (answer[at] != ']' || !end_allowed) unparsable();
      return records;
    }
  }
}

std::optional<Mention> unplaced_mention(const JsonRecord& record, const ClosedLabels& labels, ParsedAnswer& parsed) {
  const std::string &label = record.strings[0], &value = record.strings[1];
  if (labels.contains(label) && !value.empty())
    return Mention{.value = value, .label = label, .raw = {}, .repaired = {}};
  count(parsed, labels.contains(label) ? AnswerFault::empty_value : AnswerFault::unknown_label);
  return std::nullopt;
}

std::string json_string(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace entune
