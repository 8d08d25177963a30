#include <fmt/format.h>

#include <memory>

#include "trainer/commands/commands.h"
#include "trainer/telemetry/progress.h"
#include "trainer/weights/gguf_import.h"

namespace entune {

void add_import(CLI::App& app, CommandContext& context) {
  struct Arguments {
    std::string gguf;
    std::string to;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("import", "Turn a GGUF file into a Hugging Face model directory");
  command->add_option("--gguf", arguments->gguf, "GGUF file of a Llama-architecture model")
      ->required()
      ->type_name("FILE");
  command->add_option("--to", arguments->to, "Directory to write; must be absent or empty")
      ->required()
      ->type_name("DIR");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() != 0) return;
      constexpr std::int64_t kValueBytes = 2;  // it writes bfloat16 and reports values
      import_gguf(arguments->gguf, arguments->to,
                  [report = byte_progress("importing " + arguments->gguf, true)](
                      std::int64_t done, std::int64_t total) { report(kValueBytes * done, kValueBytes * total); });
      fmt::print("{}: written\n", arguments->to);
    };
  });
}

}  // namespace entune
