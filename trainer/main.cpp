#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "data/input_error.h"
#include "data/shown_name.h"
#include "distributed/mpi_runtime.h"
#include "distributed/slurm_step.h"
#include "trainer/commands/commands.h"
#include "trainer/loop/early_end.h"
#include "trainer/loop/watchdog.h"

namespace {

constexpr int kBadInput = 2;
constexpr int kFailure = 1;

// A core file holds the texts that the process works on. The limit keeps it from being written, the filter keeps memory
// out of what the kernel hands to a program (core_pattern with a pipe), which the limit does not stop.
void prevent_core_files() {
  if (std::getenv("ENTUNE_CORE_FILES") != nullptr) return;
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &limit);
  std::ofstream("/proc/self/coredump_filter") << "0\n";
}

// Words that a shell has cut from a text may be among them: only names of options are shown.
std::string unexpected(const std::vector<std::string>& arguments) {
  std::vector<std::string> options;
  for (const std::string& argument : arguments) {
    const std::string name = argument.substr(0, argument.find('='));
    if (name.starts_with("--")) options.push_back(entune::shown_name(name));
  }
  std::string message =
      fmt::format("error: {} unexpected argument{}", arguments.size(), arguments.size() > 1 ? "s" : "");
  if (!options.empty()) message += fmt::format(", with the option {}", fmt::join(options, ", "));
  return message + "; put a text in quotes, and see --help";
}

// Ranks of one machine share its cores: more threads than cores starve each other.
void set_threads(const entune::MpiRuntime& mpi) {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return;
  at::set_num_threads(std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / mpi.local_size()));
}

// Every rank meets the same bad input; rank 0 says it. A rank that is alone with it speaks up once rank 0 has had its
// chance.
int refuse(const entune::MpiRuntime& mpi, const char* message) {
  if (mpi.rank() == 0) {
    fmt::print(stderr, "error: {}\n", message);
  } else {
    sleep(2);
    fmt::print(stderr, "error: rank {}: {}\n", mpi.rank(), message);
  }
  if (mpi.size() > 1) mpi.abort(kBadInput);
  return kBadInput;
}

// Nobody else of these processes knows of the others.
int refuse_tasks(const entune::SlurmStep& step, const std::string& fault) {
  if (step.is_first_task()) fmt::print(stderr, "error: {}\n", fault);
  return kBadInput;
}

int fail(const entune::MpiRuntime& mpi, const char* message) {
  fmt::print(stderr, "rank {} of {}: failed: {}\n", mpi.rank(), mpi.size(), message);
  if (mpi.size() > 1) mpi.abort(kFailure);
  return kFailure;
}

}  // namespace

int main(int argc, char** argv) {
  umask(077);  // runs hold personal data
  prevent_core_files();
  // By the line even in a file: in order with the progress on stderr, and there when a run is cut off.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const entune::SlurmStep step;
  if (const std::string fault = step.fault_before_mpi(); !fault.empty()) return refuse_tasks(step, fault);
  std::unique_ptr<entune::Watchdog> watchdog;  // outlives MPI
  entune::MpiRuntime mpi(argc, argv);
  if (const std::string fault = step.fault(mpi.size()); !fault.empty()) return refuse_tasks(step, fault);
  set_threads(mpi);
  const std::unique_ptr<entune::Communicator> world = mpi.world();

  CLI::App app("Entune: fine-tunes Llama-family models to find named entities by writing them out.", "trainer");
  entune::CommandContext context{*world, watchdog, {}};
  entune::add_train(app, context);
  entune::add_validate(app, context);
  entune::add_show_config(app, context);
  entune::add_inspect_data(app, context);
  entune::add_evaluate(app, context);
  entune::add_predict(app, context);
  entune::add_deidentify(app, context);
  entune::add_reidentify(app, context);
  entune::add_export(app, context);
  entune::add_generate_data(app, context);
  entune::add_draft_prompt(app, context);
  entune::add_import(app, context);
  entune::add_report(app, context);
  entune::add_benchmark(app, context);
  entune::add_scaling_report(app, context);
  entune::add_checkpoints(app, context);
  entune::add_plan(app, context);
  entune::add_metrics_catalog(app, context);
  entune::add_coverage(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& error) {
    if (mpi.rank() == 0) fmt::print(stderr, "{}\n", unexpected(app.remaining(/*recurse=*/true)));
    return kBadInput;
  } catch (const CLI::ParseError& error) {
    const bool asked_for_help = error.get_exit_code() == 0;
    if (mpi.rank() == 0) app.exit(error);
    return asked_for_help ? 0 : kBadInput;
  }

  try {
    context.run();
    if (watchdog) watchdog->watch_end();
    return 0;
  } catch (const entune::EarlyEnd& error) {
    if (mpi.rank() == 0) fmt::print(stderr, "{}\n", error.what());
    if (watchdog) watchdog->watch_end();
    return error.code();
  } catch (const entune::InputError& error) {
    watchdog.reset();
    return refuse(mpi, error.what());
  } catch (const nlohmann::json::parse_error& error) {  // what() quotes what it read
    watchdog.reset();
    return fail(mpi, fmt::format("JSON error {} at byte {}", error.id, error.byte).c_str());
  } catch (const std::exception& error) {
    watchdog.reset();
    return fail(mpi, error.what());
  }
}
