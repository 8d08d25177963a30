#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "trainer/recipe/recipe.h"

namespace entune {

/// What must be the same in a run and in the one that goes on from its checkpoint: {"recipe": {key: value},
/// "data": {key: hash of the file}}. Of the recipe all keys but those that say where and by whom the work is done and
/// who is told: output, checkpoint.*, parallel.*, telemetry.*, watchdog.*.
nlohmann::json resume_identity(const LoadedRecipe& loaded);

/// Throws InputError "where: ..." that names the keys of the recipe and the data files that differ.
void require_same_identity(const nlohmann::json& saved, const nlohmann::json& now, const std::filesystem::path& where);

/// The same for a finished cell, whose recipe lies in `directory`; of its data nothing is known.
void require_same_recipe(const LoadedRecipe& loaded, const std::filesystem::path& directory);

}  // namespace entune
