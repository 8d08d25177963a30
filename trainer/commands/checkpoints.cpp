#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/count_check.h"
#include "trainer/loop/checkpoint_directory.h"
#include "trainer/loop/early_end.h"
#include "trainer/study/run_folder.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

struct Arguments {
  std::string run;
  std::optional<std::string> cell;
  std::int64_t keep = 2;
};

// Of the cell, or of all that have any.
std::vector<fs::path> checkpoint_folders(const Arguments& arguments) {
  const RunFolder folder(arguments.run);
  if (!fs::is_directory(folder.root() / "cells")) {
    throw InputError(
        fmt::format("{}: expected a run folder with cells/, found none; give the folder that training wrote "
                    "(runs/<name>)",
                    arguments.run));
  }
  if (arguments.cell) {
    if (fs::is_directory(folder.cell(*arguments.cell))) return {folder.cell(*arguments.cell) / "checkpoints"};
    throw InputError(fmt::format("--cell: expected a cell of {}, found none named {}", arguments.run, *arguments.cell));
  }
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder.root() / "cells"))
    folders.push_back(entry.path() / "checkpoints");
  std::ranges::sort(folders);
  return folders;
}

struct Look {
  std::optional<CheckpointManifest> manifest;
  std::string fault;  // empty: whole, as far as was looked
};

Look look_at(const fs::path& checkpoint, bool hashes) {
  Look look;
  try {
    look.manifest = read_manifest(checkpoint);
    look.fault = fault_of(checkpoint, *look.manifest, hashes);
  } catch (const InputError& error) {
    look.fault = error.what();
  }
  return look;
}

std::string layout_text(const CheckpointLayout& layout) {
  return fmt::format("{}x{}{}", layout.data, layout.tensor, layout.sharded ? " zero" : "");
}

std::string size_text(const CheckpointManifest& manifest) {
  double bytes = 0.0;
  for (const auto& [name, file] : manifest.files) bytes += static_cast<double>(file.bytes);
  return fmt::format("{:.1f} MiB", bytes / (1 << 20));
}

std::string age_text(const fs::path& checkpoint) {
  const auto age = fs::file_time_type::clock::now() - fs::last_write_time(checkpoint);
  const std::int64_t minutes = std::chrono::duration_cast<std::chrono::minutes>(age).count();
  return fmt::format("{}:{:02} h", minutes / 60, minutes % 60);
}

// Returns how many are broken.
int print_table(const Arguments& arguments, bool hashes) {
  int num_broken = 0;
  fmt::print("{:<32} {:>8}  {:<12} {:>12} {:>9}  {}\n", "cell", "step", "data x tensor", "size", "age", "state");
  for (const fs::path& folder : checkpoint_folders(arguments)) {
    for (const fs::path& checkpoint : list_checkpoints(folder)) {
      const Look look = look_at(checkpoint, hashes);
      num_broken += look.fault.empty() ? 0 : 1;
      fmt::print("{:<32} {:>8}  {:<13} {:>12} {:>9}  {}\n", folder.parent_path().filename().string(),
                 checkpoint_step(checkpoint), look.manifest ? layout_text(look.manifest->layout) : "?",
                 look.manifest ? size_text(*look.manifest) : "?", age_text(checkpoint),
                 look.fault.empty() ? "ok" : "broken: " + look.fault);
    }
  }
  return num_broken;
}

void prune(const Arguments& arguments) {
  for (const fs::path& folder : checkpoint_folders(arguments)) {
    std::vector<fs::path> newest_first = list_checkpoints(folder);
    std::ranges::reverse(newest_first);
    std::int64_t num_kept = 0;
    for (const fs::path& checkpoint : newest_first) {
      if (num_kept < arguments.keep && look_at(checkpoint, /*hashes=*/true).fault.empty()) {
        ++num_kept;
        continue;
      }
      remove_checkpoint(checkpoint);
      fmt::print("removed {}\n", checkpoint.string());
    }
  }
}

}  // namespace

void add_checkpoints(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("checkpoints", "List, check or remove the checkpoints of a run");
  command->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& doc, const std::function<void()>& act) {
    CLI::App* action = command->add_subcommand(name, doc);
    action->add_option("run", arguments->run, "Run folder (runs/<name>)")->required()->type_name("DIR");
    action->add_option("--cell", arguments->cell, "Only this cell (name)");
    action->callback([&context, act] {
      context.run = [&context, act] {
        if (context.world.rank() == 0) act();
      };
    });
    return action;
  };
  add("ls", "A table of them; broken: the first file that is missing or of another size",
      [arguments] { print_table(*arguments, /*hashes=*/false); });
  add("verify", "The same, with every byte read and held to its hash; exit code 3 if one is broken", [arguments] {
    if (const int num_broken = print_table(*arguments, /*hashes=*/true); num_broken > 0)
      throw EarlyEnd(EarlyEnd::no_usable_checkpoint, fmt::format("{} broken", num_broken));
  });
  add("prune", "Remove all but the newest whole ones of each cell", [arguments] { prune(*arguments); })
      ->add_option("--keep", arguments->keep, "How many stay")
      ->check(count_from(0))
      ->capture_default_str();
}

}  // namespace entune
