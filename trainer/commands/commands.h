#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "distributed/communicator.h"

namespace entune {

class Watchdog;

/// What a command gets, and what it leaves for main() to run once the command line is understood.
struct CommandContext {
  Communicator& world;
  std::unique_ptr<Watchdog>& watchdog;  ///< for a command that has one; it watches until MPI has ended
  std::function<void()> run;
};

// Each adds one command with its options to the program. train is what runs when no command is named.
void add_train(CLI::App& app, CommandContext& context);
void add_validate(CLI::App& app, CommandContext& context);
void add_show_config(CLI::App& app, CommandContext& context);
void add_inspect_data(CLI::App& app, CommandContext& context);
void add_evaluate(CLI::App& app, CommandContext& context);
void add_predict(CLI::App& app, CommandContext& context);
void add_deidentify(CLI::App& app, CommandContext& context);
void add_reidentify(CLI::App& app, CommandContext& context);
void add_export(CLI::App& app, CommandContext& context);
void add_generate_data(CLI::App& app, CommandContext& context);
void add_draft_prompt(CLI::App& app, CommandContext& context);
void add_import(CLI::App& app, CommandContext& context);
void add_report(CLI::App& app, CommandContext& context);
void add_benchmark(CLI::App& app, CommandContext& context);
void add_scaling_report(CLI::App& app, CommandContext& context);
void add_checkpoints(CLI::App& app, CommandContext& context);
void add_plan(CLI::App& app, CommandContext& context);
void add_metrics_catalog(CLI::App& app, CommandContext& context);
void add_coverage(CLI::App& app, CommandContext& context);

}  // namespace entune
