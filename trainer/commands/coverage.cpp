#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "data/deidentify/safe_harbor.h"
#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/recipe/load_recipe.h"
#include "trainer/report/coverage_table.h"

namespace entune {
namespace {

struct Arguments : RecipeArguments {
  std::vector<std::string> assigned;
  bool json = false;
};

AssignedClasses assigned_classes(const std::vector<std::string>& entries) {
  AssignedClasses classes;
  for (const std::string& entry : entries) {
    const std::size_t equals = entry.rfind('=');
    if (equals == std::string::npos || !classes.emplace(entry.substr(0, equals), entry.substr(equals + 1)).second) {
      throw InputError(
          fmt::format("--assign {}: expected LABEL=CLASSES, each label once; write CHART=H, or CHART=HJ", entry));
    }
  }
  return classes;
}

void print_coverage(const Arguments& arguments) {
  const LoadedRecipe loaded = load_recipe(arguments.recipe, arguments.overrides, {.check_files = false});
  nlohmann::json coverage = to_json(safe_harbor_coverage(loaded.recipe.labels, assigned_classes(arguments.assigned)));
  coverage["labels_kept_out_of_training"] = loaded.recipe.data.held_out_labels;
  fmt::print("{}", arguments.json ? coverage.dump(1) + "\n" : coverage_text(coverage));
}

}  // namespace

void add_coverage(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "coverage", "Print which of HIPAA's 18 Safe Harbor classes a recipe's labels cover; no statement of compliance");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command
      ->add_option("--assign", arguments->assigned,
                   "Classes of a label, by letter, instead of what its name says: CHART=H. It counts as all of each")
      ->type_name("LABEL=CLASSES")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments->json, "Print JSON instead of a table");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() == 0) print_coverage(*arguments);
    };
  });
}

}  // namespace entune
