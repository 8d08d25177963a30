#include <fmt/color.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>

#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_setup.h"

namespace entune {
namespace {

struct Arguments : RecipeArguments {
  std::int64_t samples = 2;
  std::string cell = "0";
  std::string side = "train";
  std::string color = "auto";
};

// Ids as a person reads them: control tokens spelled out, plain tokens decoded together (a character can span several).
std::string readable(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, std::size_t begin, std::size_t end) {
  std::string text;
  std::vector<TokenId> run;
  const auto flush = [&] {
    text += tokenizer.decode(run);
    run.clear();
  };
  for (std::size_t i = begin; i < end; ++i) {
    const std::string piece = tokenizer.piece(ids[i]);
    if (tokenizer.control_id(piece) == ids[i]) {
      flush();
      text += piece;
    } else {
      run.push_back(ids[i]);
    }
  }
  flush();
  return text;
}

void print_sample(const Example& example, const CellSetup& setup, bool color) {
  const EncodedSample sample = setup.task->with_answer(example);
  const auto border = static_cast<std::size_t>(sample.answer_start);
  const std::string prompt = readable(*setup.tokenizer, sample.ids, 0, border);
  const std::string answer = readable(*setup.tokenizer, sample.ids, border, sample.ids.size());
  fmt::print("--- {}: {} prompt tokens, {} supervised tokens, {} entities\n", example.id, border,
             sample.ids.size() - border, example.entities.size());
  if (color) {
    fmt::print("{}", prompt);
    fmt::print(fmt::fg(fmt::terminal_color::black) | fmt::bg(fmt::terminal_color::green), "{}", answer);
    fmt::print("\n");
  } else {
    fmt::print("{}>>>supervised>>>{}<<<\n", prompt, answer);
  }
}

void print_counts(const CellData& data, const CellSetup& setup) {
  for (const std::string side : {"train", "validation", "test"}) {
    const std::vector<Example>& examples = data.side(side);
    if (examples.empty()) continue;
    std::int64_t prompt_tokens = 0, answer_tokens = 0, longest = 0;
    std::map<std::string, std::int64_t> labels;
    for (const Example& example : examples) {
      const EncodedSample sample = setup.task->with_answer(example);
      const auto total = static_cast<std::int64_t>(sample.ids.size());
      prompt_tokens += sample.answer_start;
      answer_tokens += total - sample.answer_start;
      longest = std::max(longest, total);
      for (const Entity& entity : example.entities) ++labels[entity.label];
    }
    const auto count = static_cast<std::int64_t>(examples.size());
    fmt::print("{}: {} texts, {:.1f} prompt tokens and {:.1f} supervised tokens a text, longest {}\n", side, count,
               static_cast<double>(prompt_tokens) / static_cast<double>(count),
               static_cast<double>(answer_tokens) / static_cast<double>(count), longest);
    for (const auto& [label, spans] : labels) fmt::print("  {:<28}{:>7}\n", label, spans);
  }
  for (const auto& [reason, texts] : data.left_out) fmt::print("left out: {} texts: {}\n", texts, reason);
}

void inspect(const Arguments& arguments, std::int64_t world_size) {
  const std::vector<StudyCell> cells = expand_study(arguments.recipe, arguments.overrides);
  const std::size_t chosen = find_cell(cells, arguments.cell);
  std::vector<CellSetup> setups;
  for (const StudyCell& cell : cells) setups.push_back(set_up_cell(cell.loaded.recipe, world_size));
  const std::vector<CellData> data = prepare_data(cells, setups);
  const bool color = arguments.color == "always" || (arguments.color == "auto" && isatty(STDOUT_FILENO) == 1);
  const std::vector<Example>& examples = data[chosen].side(arguments.side);
  fmt::print("cell {}: {}; what the loss is on is {}\n", chosen, cells[chosen].name,
             color ? "green" : "between >>>supervised>>> and <<<");
  for (std::int64_t i = 0; i < std::min<std::int64_t>(arguments.samples, static_cast<std::int64_t>(examples.size()));
       ++i) {
    print_sample(examples[static_cast<std::size_t>(i)], setups[chosen], color);
  }
  print_counts(data[chosen], setups[chosen]);
}

}  // namespace

void add_inspect_data(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "inspect-data",
      "Print samples as the model sees them, the supervised part marked, and counts of tokens and spans");
  arguments->add_to(*command);
  command->get_option("--recipe")->required();
  command->add_option("--samples", arguments->samples, "Samples to print")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--cell", arguments->cell, "Cell of the study (number from 0, or name)")->capture_default_str();
  command->add_option("--side", arguments->side, "train, validation or test")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->capture_default_str();
  command->add_option("--color", arguments->color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() == 0) inspect(*arguments, context.world.size());
    };
  });
}

}  // namespace entune
