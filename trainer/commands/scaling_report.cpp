#include "trainer/report/scaling_report.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "trainer/commands/commands.h"
#include "trainer/report/summary_file.h"

namespace entune {
namespace {

struct Arguments {
  std::vector<std::string> runs;
  std::string scores, output;
};

void report_scaling(const Arguments& arguments) {
  namespace fs = std::filesystem;
  std::optional<TrainingCost> training;
  if (!arguments.scores.empty()) training = training_cost(read_summary(fs::path(arguments.scores) / "summary.json"));
  const std::vector<ScalingRow> rows =
      scaling_rows(read_scaling_runs({arguments.runs.begin(), arguments.runs.end()}), training);
  fs::path folder = arguments.output.empty() ? fs::path(arguments.runs.front()) : fs::path(arguments.output);
  if (arguments.output.empty() && !fs::is_directory(folder)) folder = folder.parent_path();
  if (!folder.empty()) fs::create_directories(folder);
  write_file_whole(folder / "scaling.csv", scaling_csv(rows));
  write_file_whole(folder / "scaling.html", scaling_html(rows));
  fmt::print("{}table: {}\nreport: {}\n", scaling_table(rows), (folder / "scaling.csv").string(),
             (folder / "scaling.html").string());
}

}  // namespace

void add_scaling_report(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "scaling-report", "Compare benchmarks over ranks and layouts: strong and weak scaling as table, CSV and HTML");
  command->add_option("runs", arguments->runs, "Files of `trainer benchmark --output`, or folders of them (*.json)")
      ->required()
      ->type_name("PATH");
  command
      ->add_option("--scores", arguments->scores,
                   "Run folder of a finished training by the same recipe: its tokens and F1 give what a point of F1 "
                   "costs at each size")
      ->type_name("DIR");
  command->add_option("--output,-o", arguments->output, "Folder for scaling.csv and scaling.html (default: the first)")
      ->type_name("DIR");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] {
      if (context.world.rank() == 0) report_scaling(*arguments);
    };
  });
}

}  // namespace entune
