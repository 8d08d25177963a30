#include <fmt/format.h>

#include <memory>

#include "data/corpus.h"
#include "data/synthesis/generator.h"
#include "trainer/commands/commands.h"

namespace entune {

void add_generate_data(CLI::App& app, CommandContext& context) {
  struct Arguments {
    GeneratorOptions options;
    std::string output;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("generate-data", "Write made-up English texts with personal data and their entities as JSONL");
  command->add_option("--count", arguments->options.count, "Texts to write")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", arguments->options.seed, "Same seed, same texts")->capture_default_str();
  command->add_option("--output,-o", arguments->output, "File to write")->required()->type_name("FILE");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() != 0) return;
      const std::vector<Example> examples = generate_corpus(arguments->options);
      write_jsonl(arguments->output, examples);
      fmt::print("{}: {} texts\n", arguments->output, examples.size());
    };
  });
}

}  // namespace entune
