#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "data/input_error.h"
#include "trainer/recipe/recipe.h"

namespace entune {

inline const LoadOptions kNoFiles{.check_files = false};

/// The least that a recipe needs, on four lines.
inline constexpr const char* kMinimal =
    "model: {path: models/m}\n"
    "data: {train: texts.jsonl}\n"
    "labels:\n"
    "  PERSON: Name of a person\n";

/// Writes recipes into a folder of its own and reports what loading them says.
class RecipeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("entune_recipe_{}_{}", test->name(), std::random_device()());
    std::filesystem::create_directories(folder_);
    file_ = folder_ / "r.yaml";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& text) { std::ofstream(file_, std::ios::binary) << text; }

  LoadedRecipe load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    write(text);
    return load_recipe(file_, overrides, kNoFiles);
  }
  /// The error's message, with the file's path as "r.yaml"; "accepted" if there is none.
  std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {},
                       const LoadOptions& options = kNoFiles) {
    write(text);
    try {
      load_recipe(file_, overrides, options);
    } catch (const InputError& error) {
      return shorten(error.what());
    }
    return "accepted";
  }
  std::string study_error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
    write(text);
    try {
      expand_study(file_, overrides, kNoFiles);
    } catch (const InputError& error) {
      return shorten(error.what());
    }
    return "accepted";
  }
  std::vector<std::string> cell_names(const std::string& text, const std::vector<std::string>& overrides = {}) {
    write(text);
    std::vector<std::string> names;
    for (const StudyCell& cell : expand_study(file_, overrides, kNoFiles)) names.push_back(cell.name);
    return names;
  }
  std::string shorten(std::string message) const {
    for (auto at = message.find(file_.string()); at != std::string::npos; at = message.find(file_.string())) {
      message.replace(at, file_.string().size(), "r.yaml");
    }
    return message;
  }

  std::filesystem::path folder_, file_;
};

}  // namespace entune
