// The main() of tests under mpirun.
//
//   program --ranks=N [--test-seconds=60] [GoogleTest's own options]
//
// Every rank runs every test. Results meet after each test, on a communicator of their own: rank 0 prints the failures
// of all ranks, in rank order, and a test fails on rank 0 if it failed anywhere, if only some ranks skipped it, or if
// ranks ran different tests. The exit code is the largest over ranks. A test that outlives its time ends the job, each
// rank saying where it was.

#include <gtest/gtest.h>
#include <mpi.h>
#undef HOST

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/StringUtil.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/mpi_runtime.h"
#include "tests/support/mpi_test.h"
#include "tests/support/watchdog.h"

namespace entune::test {
namespace {

std::unique_ptr<Communicator> world_communicator;

/// What one rank says of one test: a line each for name, state and failures.
struct Report {
  std::string name;
  std::string state;  ///< passed, failed or skipped
  std::vector<std::string> failures;
};

constexpr char kSeparator = '\0';

std::string serialize(const Report& report) {
  std::string text = report.name + kSeparator + report.state + kSeparator;
  for (const std::string& failure : report.failures) {
    text += failure + kSeparator;
  }
  return text;
}

Report parse(std::string_view text) {
  std::vector<std::string> fields;
  while (!text.empty()) {
    const std::size_t end = text.find(kSeparator);
    fields.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return {fields.at(0), fields.at(1), {fields.begin() + 2, fields.end()}};
}

class MpiListener : public testing::EmptyTestEventListener {
 public:
  MpiListener(MPI_Comm comm, int rank, int size, std::chrono::seconds limit)
      : comm_(comm), rank_(rank), size_(size), watchdog_(limit, [this, limit] { report_hang(limit); }) {}

  void OnTestStart(const testing::TestInfo& info) override {
    const std::lock_guard lock(mutex_);
    report_ = {c10::str(info.test_suite_name(), ".", info.name()), "passed", {}};
    phase_ = "in the test's body";
    watchdog_.start();
  }

  // Runs on ranks that failed only: it must not communicate.
  void OnTestPartResult(const testing::TestPartResult& part) override {
    const std::lock_guard lock(mutex_);
    if (part.failed()) {
      report_.failures.push_back(
          c10::str(part.file_name() ? part.file_name() : "?", ":", part.line_number(), ": ", part.message()));
    }
  }

  void OnTestEnd(const testing::TestInfo& info) override {
    std::string mine;
    {
      const std::lock_guard lock(mutex_);
      phase_ = "done, waiting for the other ranks' results";
      report_.state = info.result()->Skipped() ? "skipped" : info.result()->Failed() ? "failed" : "passed";
      mine = serialize(report_);
    }
    const std::vector<Report> reports = gather(mine);
    watchdog_.stop();
    for (int peer = 1; rank_ == 0 && peer < size_; ++peer) {
      raise(reports[0], reports[peer], peer);
    }
  }

 private:
  std::vector<Report> gather(const std::string& mine) {
    const int length = static_cast<int>(mine.size());
    std::vector<int> lengths(size_);
    MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, comm_);
    std::vector<int> offsets(size_);
    std::exclusive_scan(lengths.begin(), lengths.end(), offsets.begin(), 0);
    std::string all(rank_ == 0 ? offsets.back() + lengths.back() : 0, ' ');
    MPI_Gatherv(mine.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(), MPI_CHAR, 0, comm_);
    std::vector<Report> reports;
    for (int peer = 0; rank_ == 0 && peer < size_; ++peer) {
      reports.push_back(parse(std::string_view(all).substr(offsets[peer], lengths[peer])));
    }
    return reports;
  }

  void raise(const Report& own, const Report& other, int peer) const {
    const std::string who = c10::str("[rank ", peer, "/", size_, "] ");
    if (other.name != own.name) {
      ADD_FAILURE() << who << "ran " << other.name << " while rank 0 ran " << own.name;
    }
    if ((other.state == "skipped") != (own.state == "skipped")) {
      ADD_FAILURE() << who << other.state << " where rank 0 " << own.state << ": skips must be unanimous";
    }
    for (const std::string& failure : other.failures) {
      ADD_FAILURE() << who << failure;
    }
    if (other.state == "failed" && other.failures.empty()) {
      ADD_FAILURE() << who << "failed";
    }
  }

  void report_hang(std::chrono::seconds limit) {
    const std::lock_guard lock(mutex_);
    const std::string who = c10::str("[rank ", rank_, "/", size_, "] ");
    std::string text = c10::str(who, report_.name, " is not over after ", limit.count(), " s: ", phase_, "\n");
    for (const std::string& failure : report_.failures) {
      text += c10::str(who, failure, "\n");
    }
    std::fputs(text.c_str(), stderr);
  }

  const MPI_Comm comm_;
  const int rank_;
  const int size_;
  std::mutex mutex_;  ///< of report_ and phase_, which the watchdog reads
  Report report_;
  const char* phase_ = "";
  Watchdog watchdog_;
};

/// The value of --name=VALUE, which is taken out of the arguments.
std::optional<int> take_number(int& argc, char** argv, const std::string& name) {
  const std::string prefix = "--" + name + "=";
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]).starts_with(prefix)) {
      const int value = std::atoi(argv[i] + prefix.size());
      std::copy(argv + i + 1, argv + argc + 1, argv + i);
      --argc;
      return value;
    }
  }
  return std::nullopt;
}

int run_all(int argc, char** argv) {
  const MpiRuntime runtime(argc, argv);
  const std::optional<int> expected_ranks = take_number(argc, argv, "ranks");
  const int seconds = take_number(argc, argv, "test-seconds").value_or(60);
  testing::InitGoogleTest(&argc, argv);

  // A launcher whose MPI is not ours starts N worlds of one: that must never look like success.
  const char* const launched = std::getenv("OMPI_COMM_WORLD_SIZE");
  const int promised = expected_ranks ? *expected_ranks : launched != nullptr ? std::atoi(launched) : runtime.size();
  if (promised != runtime.size() || (launched != nullptr && std::atoi(launched) != runtime.size())) {
    std::fprintf(stderr, "expected %d ranks, found a world of %d; start it with: mpirun -np %d\n", promised,
                 runtime.size(), promised);
    runtime.abort(1);
  }

  at::set_num_threads(1);
  world_communicator = runtime.world();
  MPI_Comm results = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &results);
  MPI_Comm_set_errhandler(results, MPI_ERRORS_ARE_FATAL);
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (runtime.rank() != 0) {
    delete listeners.Release(listeners.default_result_printer());
    testing::GTEST_FLAG(output) = "";
  }
  // End events reach listeners in reverse order: ours adds the other ranks' failures before the printer judges the
  // test.
  listeners.Append(new MpiListener(results, runtime.rank(), runtime.size(), std::chrono::seconds(seconds)));

  const int mine = RUN_ALL_TESTS();
  int worst = 1;
  MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, results);
  MPI_Comm_free(&results);
  world_communicator.reset();
  return worst;
}

}  // namespace

Communicator& world() { return *world_communicator; }

bool true_on_all_ranks(bool condition) {
  at::Tensor num_failed = at::full({1}, condition ? 0 : 1, at::kLong);
  world().all_reduce(num_failed, ReduceOp::sum);
  return num_failed.item<std::int64_t>() == 0;
}

}  // namespace entune::test

int main(int argc, char** argv) { return entune::test::run_all(argc, argv); }
