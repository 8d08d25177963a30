#include <fmt/format.h>

#include <memory>

#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/study/cell_setup.h"
#include "trainer/study/trained_cell.h"

namespace entune {
namespace {

constexpr std::int64_t kMaxDraftTokens = 300;
constexpr int kConfirmation = 0;  // the assistant turns of `explain` that the model writes itself
constexpr int kExplanation = 2;

std::string indented(const std::string& text) {
  std::string block;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    block += "        " + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return block;
}

// A block scalar that YAML reads back to the letter needs an indentation indicator where the text begins with a space.
void print_turn(const Turn& turn, bool drafted) {
  fmt::print("    - role: {}{}\n      text: |2-\n{}", name_of(turn.role), drafted ? "  # drafted by the model" : "",
             indented(turn.text));
}

void draft(const RecipeArguments& arguments, Communicator& world) {
  LoadedRecipe loaded = load_recipe(arguments.recipe, arguments.overrides);
  Recipe& recipe = loaded.recipe;
  if (recipe.task.prompt.kind != "explain") {
    throw InputError(
        "task.prompt: expected `explain`, whose confirmation and explanation the model drafts; set "
        "task.prompt=explain");
  }
  recipe.training.method = TrainingMethod::none;
  const CellSetup setup = set_up_cell(recipe, world.size());
  const std::unique_ptr<DeviceMesh> mesh = make_mesh(recipe, world);
  const std::unique_ptr<DecoderModel> model = load_model(recipe, setup, *mesh, world.rank() == 0);
  model->set_training(false);
  Generator generator(*model, setup.task->stop_ids(), recipe.generation.options);
  const auto answer = [&](std::vector<Turn> turns) {
    return setup.task->answer_text(generator.generate({setup.task->continue_turns(turns, kMaxDraftTokens)}).front());
  };

  std::vector<Turn> turns = setup.task->prompt().turns_template();
  const std::string confirmation = answer(setup.task->prompt().turns_before_answer(kConfirmation));
  std::vector<Turn> before_explanation = setup.task->prompt().turns_before_answer(kExplanation);
  int assistant = 0;
  for (Turn& turn : before_explanation) {
    if (turn.role == Role::assistant && assistant++ == kConfirmation) turn.text = confirmation;
  }
  const std::string explanation = answer(before_explanation);
  if (world.rank() != 0) return;
  assistant = 0;
  fmt::print("task:\n  prompt:\n");
  for (Turn& turn : turns) {
    const int number = turn.role == Role::assistant ? assistant++ : -1;
    if (number == kConfirmation) turn.text = confirmation;
    if (number == kExplanation) turn.text = explanation;
    print_turn(turn, number == kConfirmation || number == kExplanation);
  }
}

}  // namespace

void add_draft_prompt(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = app.add_subcommand(
      "draft-prompt",
      "Let the model, before fine-tuning, write the confirmation and the explanation of the `explain` prompt; "
      "prints recipe lines to keep");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command->callback(
      [&context, arguments] { context.run = [&context, arguments] { draft(*arguments, context.world); }; });
}

}  // namespace entune
