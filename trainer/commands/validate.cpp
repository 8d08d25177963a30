#include <fmt/format.h>

#include <memory>

#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_setup.h"

namespace entune {
namespace {

void validate(const RecipeArguments& arguments, std::int64_t world_size) {
  const std::vector<StudyCell> cells = expand_study(arguments.recipe, arguments.overrides);
  std::vector<CellSetup> setups;
  for (const StudyCell& cell : cells) setups.push_back(set_up_cell(cell.loaded.recipe, world_size));
  const std::vector<CellData> data = prepare_data(cells, setups);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    fmt::print("cell {}: {}: {} training, {} validation, {} test texts; chat {}\n", i, cells[i].name,
               data[i].train.size(), data[i].validation.size(), data[i].test.size(), setups[i].chat_family);
  }
  for (const auto& [reason, count] : data.front().left_out)
    fmt::print("left out of all cells: {} texts: {}\n", count, reason);
  for (const std::string& note : split_notes(data)) fmt::print("{}\n", note);
  fmt::print("{}: valid on {} ranks\n", arguments.recipe, world_size);
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
      ->check(CLI::PositiveNumber);
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() != 0) return;
      validate(*arguments, arguments->world_size > 0 ? arguments->world_size : context.world.size());
    };
  });
}

}  // namespace entune
