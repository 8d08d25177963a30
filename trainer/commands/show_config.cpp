#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
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

}  // namespace

void add_show_config(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command =
      app.add_subcommand("show-config", "Print every key of a recipe as resolved, with where its value came from");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() == 0) show_config(*arguments);
    };
  });
}

}  // namespace entune
