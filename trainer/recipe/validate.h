#pragma once

#include "trainer/recipe/recipe.h"
#include "trainer/recipe/settings.h"

namespace entune {

/// What must hold between keys, and in the file system if options.check_files. Throws InputError "where: key: ..." that
/// names the key to change.
void validate(const Recipe& recipe, const Settings& settings, const LoadOptions& options);

}  // namespace entune
