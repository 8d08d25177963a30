#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/recipe/load_recipe.h"
#include "trainer/recipe/recipe.h"

namespace entune {
namespace {

void show_config(const RecipeArguments& arguments) {
  const LoadedRecipe loaded = load_recipe(arguments.recipe, arguments.overrides, {.check_files = false});
  std::size_t width = 0;
  for (const ResolvedKey& key : loaded.keys)
    width = std::max(width, std::min<std::size_t>(60, key.key.size() + key.value.size() + 2));
  for (const ResolvedKey& key : loaded.keys)
    fmt::print("{:<{}}  # {}\n", key.key + ": " + key.value, width, key.origin);
}

void list_cells(const RecipeArguments& arguments) {
  const std::vector<StudyCell> cells = expand_study(arguments.recipe, arguments.overrides, {.check_files = false});
  for (std::size_t i = 0; i < cells.size(); ++i) fmt::print("{}  {}\n", i, cells[i].name);
}

}  // namespace

void add_show_config(CLI::App& app, CommandContext& context) {
  struct Arguments : RecipeArguments {
    bool cells = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("show-config", "Print every key of a recipe as resolved, with where its value came from");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command->add_flag("--cells", arguments->cells,
                    "Print the cells of the study instead, a line for each: number and name");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() != 0) return;
      arguments->cells ? list_cells(*arguments) : show_config(*arguments);
    };
  });
}

}  // namespace entune
