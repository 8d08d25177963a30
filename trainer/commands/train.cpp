#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <optional>
#include <string>

#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/recipe/schema.h"
#include "trainer/study/study.h"

namespace entune {
namespace {

// A word that is no KEY=VALUE was meant as a command.
void refuse_unknown_command(const CLI::App& app, const std::vector<std::string>& overrides) {
  for (const std::string& word : overrides) {
    if (word.find('=') != std::string::npos) continue;
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(command->get_name());
    const std::string near = nearest(word, names);
    throw InputError(fmt::format("command line: expected a command or KEY=VALUE, found '{}'; {}the commands are {}",
                                 word, near.empty() ? "" : fmt::format("did you mean '{}'? ", near),
                                 fmt::join(names, ", ")));
  }
}

}  // namespace

void add_train(CLI::App& app, CommandContext& context) {
  struct Arguments : RecipeArguments {
    bool overwrite = false;
    std::optional<std::string> cell, resume;
  };
  const auto arguments = std::make_shared<Arguments>();
  arguments->add_to(app);
  app.add_flag("--overwrite", arguments->overwrite, "Replace the results of an earlier run in the same folder");
  app.add_option("--cell", arguments->cell,
                 "Run only this cell of the study (number from 0, or name), for jobs that run apart");
  app.add_option(
         "--resume", arguments->resume,
         "auto: go on from each cell's newest checkpoint, and leave finished cells; a checkpoint's directory; none")
      ->type_name("auto|none|PATH");
  app.callback([&app, &context, arguments] {
    if (!app.get_subcommands().empty()) return;
    context.run = [&app, &context, arguments] {
      refuse_unknown_command(app, arguments->overrides);
      if (arguments->recipe.empty()) throw InputError("expected --recipe FILE or a command; see trainer --help");
      if (arguments->resume)
        arguments->overrides.push_back(fmt::format("checkpoint.resume=\"{}\"", *arguments->resume));
      const StudyOptions options{.recipe = arguments->recipe,
                                 .overrides = arguments->overrides,
                                 .overwrite = arguments->overwrite,
                                 .only_cell = arguments->cell,
                                 .watchdog = &context.watchdog};
      run_study(options, context.world);
    };
  });
}

}  // namespace entune
