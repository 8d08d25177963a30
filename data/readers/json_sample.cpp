#include "data/readers/json_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

namespace entune {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;

/// The member `key`, or null if the object has none.
const json& member(const json& object, const char* key) {
  static const json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

class MemberReader {
 public:
  MemberReader(const json& object, std::string where, std::int64_t line)
      : object_(object), where_(std::move(where)), line_(line) {
    if (!object.is_object()) fail("expected a JSON object", object);
  }

  std::string string(const char* key) const {
    const json& value = member(object_, key);
    if (!value.is_string()) fail(fmt::format("expected a string in \"{}\"", key), value);
    return value.get<std::string>();
  }

  std::int64_t integer(const char* key) const {
    const json& value = member(object_, key);
    if (!fits_int64(value)) fail(fmt::format("expected an integer in \"{}\"", key), value);
    return value.get<std::int64_t>();
  }

  const json& array(const char* key) const {
    const json& value = member(object_, key);
    if (!value.is_array()) fail(fmt::format("expected an array in \"{}\"", key), value);
    return value;
  }

  /// A string or an integer, as a string; nullopt if absent or null.
  std::optional<std::string> name(const std::string& key) const {
    const json& value = member(object_, key.c_str());
    if (value.is_null()) return std::nullopt;
    if (value.is_string()) return value.get<std::string>();
    if (!fits_int64(value)) fail(fmt::format("expected a string or an integer in \"{}\"", key), value);
    return std::to_string(value.get<std::int64_t>());
  }

 private:
  static bool fits_int64(const json& value) {
    if (value.is_number_unsigned()) return value.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max();
    return value.is_number_integer();
  }

  [[noreturn]] void fail(const std::string& expected, const json& found) const {
    const std::string what = found.is_null()           ? "nothing"
                             : found.is_number_float() ? "a number with a fraction or an exponent"
                             : !found.is_number()      ? fmt::format("a value of type {}", found.type_name())
                             : fits_int64(found)       ? "an integer"
                                                       : "an integer out of range";
    throw SampleError(line_, fmt::format("{}{}, found {}", where_, expected, what));
  }

  const json& object_;
  std::string where_;
  std::int64_t line_;
};

}  // namespace

json parse_strict_json(std::string_view text, std::int64_t line) {
  std::vector<std::set<std::string>> keys_of_open_objects;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth)
      throw SampleError(line, fmt::format("expected JSON of at most {} levels, found more", kMaxDepth));
    if (event == json::parse_event_t::object_start) keys_of_open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) keys_of_open_objects.pop_back();
    if (event == json::parse_event_t::key && !keys_of_open_objects.back().insert(parsed.get<std::string>()).second) {
      throw SampleError(line, "expected every JSON key once, found a duplicate key");
    }
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::parse_error& error) {
    // error.what() quotes the text, so only its place is used.
    const std::size_t byte = std::min<std::size_t>(error.byte == 0 ? 0 : error.byte - 1, text.size());
    const std::string_view before = text.substr(0, byte);
    const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 == 0
    throw SampleError(line + std::count(before.begin(), before.end(), '\n'),
                      fmt::format("expected JSON in UTF-8, found a syntax error at byte {} of the line's value",
                                  byte - line_start + 1));
  } catch (const json::exception&) {
    throw SampleError(line, "expected JSON, found a number out of range");
  }
}

RawSample json_to_sample(const json& json, const JsonSampleKeys& keys, const std::string& group_key,
                         std::int64_t line) {
  const MemberReader reader(json, "", line);
  RawSample sample;
  sample.line = line;
  sample.id = reader.name("id");
  if (keys.text != nullptr) sample.text = reader.string(keys.text);
  if (!group_key.empty()) sample.group = reader.name(group_key).value_or("");
  if (keys.entities == nullptr) return sample;
  const auto& entities = reader.array(keys.entities);
  for (std::size_t i = 0; i < entities.size(); ++i) {
    const MemberReader entity(entities[i], fmt::format("entity {}: ", i + 1), line);
    RawEntity raw{entity.integer(keys.start), entity.integer(keys.end), entity.string(keys.label), std::nullopt};
    if (!member(entities[i], keys.value).is_null()) raw.value = entity.string(keys.value);
    sample.entities.push_back(std::move(raw));
  }
  return sample;
}

}  // namespace entune
