#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace entune {

/// The recipe and its overrides, as several commands take them.
struct RecipeArguments {
  std::string recipe;
  std::vector<std::string> overrides;

  void add_to(CLI::App& command) {
    command.add_option("--recipe,-r", recipe, "Recipe file (YAML; every key is explained in recipes/reference.yaml)")
        ->type_name("FILE");
    command.add_option("overrides", overrides, "Values that replace the recipe's: training.epochs=1")
        ->type_name("KEY=VALUE");
  }
};

}  // namespace entune
