#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "data/input_error.h"
#include "distributed/mpi_runtime.h"
#include "distributed/slurm_step.h"
#include "trainer/commands/commands.h"
#include "trainer/loop/early_end.h"
#include "trainer/loop/watchdog.h"

namespace {

constexpr int kBadInput = 2;
constexpr int kFailure = 1;

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
  try {
    app.parse(argc, argv);
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
  } catch (const std::exception& error) {
    watchdog.reset();
    return fail(mpi, error.what());
  }
}
