#include "trainer/study/resume_identity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "data/input_error.h"
#include "trainer/weights/file_hash.h"

namespace entune {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 5> kFree = {"output", "checkpoint.", "parallel.", "telemetry.", "watchdog."};

json recipe_keys(const LoadedRecipe& loaded) {
  json keys = json::object();
  for (const ResolvedKey& key : loaded.keys) {
    const auto begins_key = [&](std::string_view free) { return key.key.starts_with(free); };
    if (std::ranges::none_of(kFree, begins_key)) keys[key.key] = key.value;
  }
  return keys;
}

json data_hashes(const Recipe::Data& data) {
  json hashes = json::object();
  if (data.train) hashes["data.train"] = file_hash(data.train->path);
  if (data.validation) hashes["data.validation"] = file_hash(data.validation->path);
  if (data.test) hashes["data.test"] = file_hash(data.test->path);
  return hashes;
}

// Keys whose values differ, or that one of the two lacks.
std::set<std::string> differing(const json& a, const json& b) {
  std::set<std::string> keys;
  for (const auto& [key, value] : a.items()) {
    if (!b.contains(key) || b[key] != value) keys.insert(key);
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key)) keys.insert(key);
  }
  return keys;
}

void require_same_keys(const json& saved, const json& now, const std::filesystem::path& where) {
  if (const std::set<std::string> keys = differing(saved, now); !keys.empty()) {
    throw InputError(
        fmt::format("{}: expected the recipe that it was made by, found other values of {}; put them back, or "
                    "start anew with another `output`",
                    where.string(), fmt::join(keys, ", ")));
  }
}

}  // namespace

json resume_identity(const LoadedRecipe& loaded) {
  return {{"recipe", recipe_keys(loaded)}, {"data", data_hashes(loaded.recipe.data)}};
}

void require_same_identity(const json& saved, const json& now, const std::filesystem::path& where) {
  require_same_keys(saved.at("recipe"), now.at("recipe"), where);
  if (const std::set<std::string> keys = differing(saved.at("data"), now.at("data")); !keys.empty()) {
    throw InputError(
        fmt::format("{}: expected the data that it was trained on, found that the files of {} have changed; put "
                    "them back, or start anew with another `output`",
                    where.string(), fmt::join(keys, ", ")));
  }
}

void require_same_recipe(const LoadedRecipe& loaded, const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / "recipe.yaml";
  require_same_keys(recipe_keys(load_recipe(file, {}, {.check_files = false})), recipe_keys(loaded), file);
}

}  // namespace entune
