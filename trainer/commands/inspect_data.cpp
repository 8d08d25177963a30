#include <fmt/color.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>

#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/count_check.h"
#include "trainer/commands/recipe_arguments.h"
#include "trainer/study/study.h"

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

/// A side as the cell meets it: training has label lists of its own (training_samples), the other sides the whole list.
std::vector<EncodedSample> encoded_side(const std::string& side, const Recipe& recipe, const CellSetup& setup,
                                        const std::vector<Example>& examples) {
  std::vector<EncodedSample> samples;
  if (side == "train") {
    for (TrainingSample& sample : training_samples(recipe, setup, examples)) samples.push_back(std::move(sample.tokens));
  } else {
    for (const Example& example : examples) samples.push_back(setup.task->with_answer(example));
  }
  return samples;
}

void print_sample(const Example& example, const EncodedSample& sample, const CellSetup& setup, bool color) {
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

void print_counts(const CellData& data, const std::map<std::string, std::vector<EncodedSample>>& encoded) {
  for (const std::string side : {"train", "validation", "test"}) {
    const std::vector<Example>& examples = data.side(side);
    if (examples.empty()) continue;
    std::int64_t prompt_tokens = 0, answer_tokens = 0, longest = 0;
    std::map<std::string, std::int64_t> labels;
    for (const EncodedSample& sample : encoded.at(side)) {
      const auto total = static_cast<std::int64_t>(sample.ids.size());
      prompt_tokens += sample.answer_start;
      answer_tokens += total - sample.answer_start;
      longest = std::max(longest, total);
    }
    for (const Example& example : examples) {
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
  std::vector<StudyCell> expanded = expand_study(arguments.recipe, arguments.overrides);
  const std::size_t chosen = find_cell(expanded, arguments.cell);
  const auto [cells, setups, data] = set_up_study(std::move(expanded), world_size);
  const bool color = arguments.color == "always" || (arguments.color == "auto" && isatty(STDOUT_FILENO) == 1);
  const Recipe& recipe = cells[chosen].loaded.recipe;
  const std::vector<Example>& examples = data[chosen].side(arguments.side);
  std::map<std::string, std::vector<EncodedSample>> encoded;
  for (const std::string side : {"train", "validation", "test"})
    encoded[side] = encoded_side(side, recipe, setups[chosen], data[chosen].side(side));
  const std::vector<EncodedSample>& samples = encoded.at(arguments.side);
  fmt::print("cell {}: {}; what the loss is on is {}{}\n", chosen, cells[chosen].name,
             color ? "green" : "between >>>supervised>>> and <<<",
             recipe.training.prompt_weight > 0.0
                 ? fmt::format("; every other token weighs {} (training.loss.prompt_weight)", recipe.training.prompt_weight)
                 : "");
  const auto num_shown = std::min(static_cast<std::size_t>(arguments.samples), samples.size());
  for (std::size_t i = 0; i < num_shown; ++i) print_sample(examples[i], samples[i], setups[chosen], color);
  print_counts(data[chosen], encoded);
  if (!data[chosen].split_note.empty()) fmt::print("{}\n", data[chosen].split_note);
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
      ->check(count_from(0))
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
