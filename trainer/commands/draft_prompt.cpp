#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "data/input_error.h"
#include "data/prompts/drafted_turn.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/study/cell_setup.h"
#include "trainer/study/trained_cell.h"

namespace entune {
namespace {

constexpr std::int64_t kMaxDraftTokens = 300;  // with generation.max_new_tokens: auto
constexpr int kConfirmation = 0;               // the assistant turns of `explain` that the model writes itself
constexpr int kExplanation = 2;

// Lines of a block scalar under `text:`.
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

// With an indentation indicator, as text may begin with a space.
void print_turn(const Turn& turn, std::string_view comment) {
  fmt::print("    - role: {}{}\n      text: |2-\n{}", name_of(turn.role), comment, indented(turn.text));
}

// The study's cells that the `explain` prompt is of.
struct Uses {
  Recipe recipe;                     // of the first
  std::vector<std::string> formats;  // the first cell's first
  bool one_label_list = true;        // for all texts of all cells

  bool one_example() const { return formats.size() == 1 && one_label_list; }
};

Uses uses_of(const std::vector<StudyCell>& cells) {
  Uses uses;
  for (const StudyCell& cell : cells) {
    const Recipe& recipe = cell.loaded.recipe;
    if (recipe.task.prompt.kind != "explain") continue;
    if (uses.formats.empty()) uses.recipe = recipe;
    if (std::find(uses.formats.begin(), uses.formats.end(), recipe.task.format) == uses.formats.end())
      uses.formats.push_back(recipe.task.format);
    uses.one_label_list = uses.one_label_list && recipe.task.label_list_variants == 1 &&
                          recipe.data.held_out_labels.empty() && recipe.labels == uses.recipe.labels;
  }
  if (uses.formats.empty()) {
    throw InputError(
        "task.prompt: expected `explain`, whose confirmation and explanation the model drafts; set "
        "task.prompt=explain");
  }
  return uses;
}

class Drafter {
 public:
  Drafter(const Recipe& recipe, Communicator& world)
      : setup_(set_up_cell(recipe, world.size())),
        mesh_(make_mesh(recipe, world)),
        model_(load_model(recipe, setup_, *mesh_, world.rank() == 0)),
        generator_(*model_, setup_.task->stop_ids(), recipe.generation.options),
        max_tokens_(recipe.generation.options.max_new_tokens > 0 ? recipe.generation.options.max_new_tokens
                                                                 : kMaxDraftTokens),
        is_shown_(world.rank() == 0) {
    model_->set_training(false);
  }

  const Prompt& prompt() const { return setup_.task->prompt(); }

  /// The model's turn after `turns`; `what` names it in messages.
  std::string answer(const std::vector<Turn>& turns, std::string_view what) {
    const GeneratedAnswer answer = generator_.generate({setup_.task->continue_turns(turns, max_tokens_)}).front();
    std::string text = drafted_turn(setup_.task->answer_text(answer));
    if (text.empty()) {
      throw InputError(
          fmt::format("the {}: expected the model to write some text, found none; take a model that was trained on "
                      "instructions, or write the turns yourself",
                      what));
    }
    if (answer.hit_max_tokens && is_shown_) {
      fmt::print(stderr, "warning: the {} was cut at {} tokens; end it by hand, or raise generation.max_new_tokens\n",
                 what, max_tokens_);
    }
    return text;
  }

 private:
  CellSetup setup_;
  std::unique_ptr<DeviceMesh> mesh_;
  std::unique_ptr<DecoderModel> model_;
  Generator generator_;
  std::int64_t max_tokens_;
  bool is_shown_;
};

void draft(const RecipeArguments& arguments, Communicator& world) {
  Uses uses = uses_of(expand_study(arguments.recipe, arguments.overrides));
  uses.recipe.training.method = TrainingMethod::none;
  Drafter drafter(uses.recipe, world);

  const std::string confirmation = drafter.answer(drafter.prompt().turns_before_answer(kConfirmation), "confirmation");
  std::optional<std::string> explanation;
  if (uses.one_example()) {
    std::vector<Turn> turns = drafter.prompt().turns_before_answer(kExplanation);
    turns.at(2 * kConfirmation + 1).text = confirmation;
    explanation = drafter.answer(turns, "explanation");
  }
  if (world.rank() != 0) return;

  fmt::print("task:\n  prompt:\n");
  int assistant = 0;
  for (Turn turn : drafter.prompt().turns_template()) {
    const int number = turn.role == Role::assistant ? assistant++ : -1;
    std::string comment;
    if (number == kConfirmation) {
      turn.text = confirmation;
      comment = fmt::format("  # drafted by the model, told to answer in {}", uses.formats.front());
      if (uses.formats.size() > 1) comment += ": reword what does not fit the study's other formats";
    } else if (number == kExplanation && explanation) {
      turn.text = *explanation;
      comment = fmt::format("  # drafted by the model for {}; {{explanation}} instead fits every format",
                            uses.formats.front());
    } else if (number == kExplanation) {
      comment = "  # not drafted: each format or label list of the study has another worked example or answer";
    }
    print_turn(turn, comment);
  }
}

}  // namespace

void add_draft_prompt(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<RecipeArguments>();
  CLI::App* command = app.add_subcommand(
      "draft-prompt",
      "Let the model, before fine-tuning, write the confirmation and the explanation of the `explain` prompt; "
      "prints recipe lines to keep. A study of several formats or label lists keeps the built-in explanations");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command->callback(
      [&context, arguments] { context.run = [&context, arguments] { draft(*arguments, context.world); }; });
}

}  // namespace entune
