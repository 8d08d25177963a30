#include "trainer/weights/strict_json.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "data/input_error.h"
#include "trainer/weights/input_file.h"

namespace entune {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{64} << 20;
constexpr std::size_t kMaxDepth = 32;

}  // namespace

std::string shown(const nlohmann::json& value) {
  constexpr std::size_t kMaxShown = 100;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "...";
  return text;
}

nlohmann::json read_strict_json(const std::filesystem::path& path) {
  const InputFile file(path);
  if (file.size_bytes() > kMaxBytes) {
    throw InputError(
        fmt::format("{}: expected at most {} bytes of JSON, found {}", path.string(), kMaxBytes, file.size_bytes()));
  }
  std::string text(file.size_bytes(), '\0');
  file.read_at(0, text.data(), text.size());

  std::vector<std::set<std::string>> keys;  // of every open object or array
  const auto check = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      keys.emplace_back();
      if (keys.size() > kMaxDepth) {
        throw InputError(fmt::format("{}: expected JSON nested at most {} deep, found more", path.string(), kMaxDepth));
      }
    } else if (event == Event::object_end || event == Event::array_end) {
      keys.pop_back();
    } else if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second) {
      throw InputError(fmt::format("{}: expected each key once in an object, found {} twice; remove one",
                                   path.string(), shown(parsed)));
    }
    return true;
  };
  try {
    nlohmann::json value = nlohmann::json::parse(text, check);
    if (!value.is_object()) {
      throw InputError(fmt::format("{}: expected a JSON object, found {}", path.string(), value.type_name()));
    }
    return value;
  } catch (const nlohmann::json::parse_error& error) {
    throw InputError(fmt::format("{}: expected valid JSON, found an error at byte {}", path.string(), error.byte));
  }
}

}  // namespace entune
