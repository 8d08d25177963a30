#include <fmt/format.h>

#include <memory>

#include "trainer/commands/commands.h"
#include "trainer/commands/count_check.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/study/study.h"

namespace entune {
namespace {

void validate(const RecipeArguments& arguments, std::int64_t world_size) {
  const auto [cells, setups, data] = prepare_study(arguments.recipe, arguments.overrides, world_size);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    fmt::print("cell {}: {}: {} training, {} validation, {} test texts; chat {}\n", i, cells[i].name,
               data[i].train.size(), data[i].validation.size(), data[i].test.size(), setups[i].chat_family);
  }
  print_left_out(data);
  fmt::print("{}: valid on {} rank{}\n", arguments.recipe, world_size, world_size == 1 ? "" : "s");
}

}  // namespace

void add_validate(CLI::App& app, CommandContext& context) {
  struct Arguments : RecipeArguments {
    std::int64_t world_size = 0;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "validate", "Check a recipe, its model directory, its data and its layout, without loading weights");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command
      ->add_option("--world-size", arguments->world_size,
                   "Number of ranks to check the layout for (default: those started)")
      ->check(count_from(1));
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() != 0) return;
      validate(*arguments, arguments->world_size > 0 ? arguments->world_size : context.world.size());
    };
  });
}

}  // namespace entune
