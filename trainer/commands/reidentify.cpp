#include <fmt/format.h>

#include <memory>

#include "data/deidentify/deidentifier.h"
#include "data/deidentify/span_lines.h"
#include "data/documents/jsonl_output.h"
#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/key_file.h"
#include "trainer/commands/stream_files.h"
#include "trainer/recipe/deidentify_policy.h"

namespace entune {
namespace {

struct Arguments {
  std::string policy;
  KeySource key;
  std::string input;
  std::string output;
  bool overwrite = false;
};

SecretKey key_of(const Arguments& arguments) {
  const int given = !arguments.policy.empty() + !arguments.key.file.empty() + !arguments.key.environment.empty();
  if (given != 1) throw InputError("expected one of --policy, --key-file and --key-env, which say where the key is");
  KeySource source = arguments.key;
  if (!arguments.policy.empty()) {
    const DeidentificationPolicy policy = load_policy(arguments.policy);
    if (!policy.key) throw InputError(fmt::format("{}: expected `key`, found none", arguments.policy));
    source = *policy.key;
  }
  require_key_apart(source, {arguments.output});
  return read_secret_key(source);
}

void run_reidentify(const Arguments& arguments) {
  const SecretKey key = key_of(arguments);
  std::vector<std::string> inputs = {arguments.input};
  if (!arguments.policy.empty()) inputs.push_back(arguments.policy);
  require_apart(inputs, {arguments.output});
  std::ifstream file = open_input(arguments.input);
  SpanLineReader reader(file, arguments.input);
  JsonlOutput output(arguments.output, existing_output(/*resume=*/false, arguments.overwrite));
  std::int64_t num_documents = 0, num_restored = 0;
  while (const std::optional<SpanLineReader::Output> line = reader.next_output()) {
    try {
      const ReidentifiedDocument document = reidentify(line->id, line->text, line->spans, key);
      for (const WrittenSpan& span : document.spans) num_restored += span.done.empty();
      output.write(reidentified_line(line->id, document));
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}: document {}: {}", reader.place(), line->id, error.what()));
    }
    ++num_documents;
  }
  fmt::print(stderr, "{} documents; {} values restored\n", num_documents, num_restored);
}

}  // namespace

void add_reidentify(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->key.where = "command line";
  CLI::App* command = app.add_subcommand("reidentify", "Put the values back that deidentify encrypted");
  command->add_option("--policy,-p", arguments->policy, "Policy whose key it was")->type_name("FILE");
  command->add_option("--key-file", arguments->key.file, "File with the key")->type_name("FILE");
  command->add_option("--key-env", arguments->key.environment, "Name of the environment's variable with the key")
      ->type_name("NAME");
  command->add_option("--input,-i", arguments->input, "Output of deidentify")->required()->type_name("FILE");
  command->add_option("--output,-o", arguments->output, "JSONL to write, mode 0600; - for standard output")
      ->required()
      ->type_name("FILE");
  command->add_flag("--overwrite", arguments->overwrite, "Replace the output file if it is there");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() == 0) run_reidentify(*arguments);
    };
  });
}

}  // namespace entune
