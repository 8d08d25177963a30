#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "data/corpus.h"
#include "data/input_error.h"
#include "data/synthesis/generator.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/count_check.h"

namespace entune {

void add_generate_data(CLI::App& app, CommandContext& context) {
  struct Arguments {
    GeneratorOptions options;
    std::string output;
    bool overwrite = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("generate-data", "Write made-up English texts with personal data and their entities as JSONL");
  command->add_option("--count", arguments->options.count, "Texts to write")
      ->check(count_from(1))
      ->capture_default_str();
  command->add_option("--seed", arguments->options.seed, "Same seed, same texts")->capture_default_str();
  command->add_option("--output,-o", arguments->output, "File to write")->required()->type_name("FILE");
  command->add_flag("--overwrite", arguments->overwrite, "Replace the file if it is there");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() != 0) return;
      if (!arguments->overwrite && std::filesystem::exists(arguments->output)) {
        throw InputError(fmt::format("{}: expected no file there, found one; give another --output, or --overwrite",
                                     arguments->output));
      }
      const std::vector<Example> examples = generate_corpus(arguments->options);
      write_jsonl(arguments->output, examples);
      fmt::print("{}: {} texts\n", arguments->output, examples.size());
    };
  });
}

}  // namespace entune
