#include <memory>

#include "trainer/commands/commands.h"
#include "trainer/commands/count_check.h"
#include "trainer/study/study.h"

namespace entune {

void add_report(CLI::App& app, CommandContext& context) {
  struct Arguments {
    std::vector<std::string> runs;
    std::string output;
    std::int64_t examples = 0;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("report", "Compare the cells of one or more run folders: table, summary.json and report.html");
  command->add_option("runs", arguments->runs, "Run folders (runs/<name>)")->required()->type_name("DIR");
  command->add_option("--output,-o", arguments->output, "Folder for the report (default: the first run folder)")
      ->type_name("DIR");
  command
      ->add_option(
          "--examples", arguments->examples,
          "Wrong answers of each cell to show with their texts: the page then holds personal data. Needs a run "
          "with generation.write_predictions: true")
      ->check(count_from(0))
      ->capture_default_str();
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() != 0) return;
      write_report({arguments->runs.begin(), arguments->runs.end()},
                   arguments->output.empty() ? arguments->runs.front() : arguments->output, arguments->examples);
    };
  });
}

}  // namespace entune
