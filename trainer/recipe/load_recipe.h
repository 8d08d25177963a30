#pragma once

#include "trainer/recipe/recipe.h"
#include "trainer/recipe/settings.h"

namespace entune {

/// A recipe file with the command line's overrides and all defaults; each key checked by itself.
Settings read_settings(const std::filesystem::path& file, const std::vector<std::string>& overrides);
/// The recipe that these settings make, validated as a whole.
LoadedRecipe finish_recipe(const Settings& settings, const LoadOptions& options);

}  // namespace entune
