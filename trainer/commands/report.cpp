#include <memory>

#include "trainer/commands/commands.h"
#include "trainer/study/study.h"

namespace entune {

void add_report(CLI::App& app, CommandContext& context) {
  struct Arguments {
    std::vector<std::string> runs;
    std::string output;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("report", "Compare the cells of one or more run folders: table, summary.json and report.html");
  command->add_option("runs", arguments->runs, "Run folders (runs/<name>)")->required()->type_name("DIR");
  command->add_option("--output,-o", arguments->output, "Folder for the report (default: the first run folder)")
      ->type_name("DIR");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() != 0) return;
      write_report({arguments->runs.begin(), arguments->runs.end()},
                   arguments->output.empty() ? arguments->runs.front() : arguments->output);
    };
  });
}

}  // namespace entune
