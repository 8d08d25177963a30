#include "trainer/loop/watchdog.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "distributed/device_mesh.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "trainer/loop/hang_diagnosis.h"
#include "trainer/telemetry/pulse.h"

namespace entune::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::ExitedWithCode;
using testing::HasSubstr;

constexpr double kSilence = 10.0;

/// A rank that runs, outside collectives.
RankSight rank_at(Phase phase, std::array<std::uint64_t, kNumWatchedGroups> calls, std::uint64_t tensor_size = 1) {
  RankSight sight;
  sight.record.emplace();
  sight.record->pulse.phase = phase;
  sight.record->pulse.step = 3;
  sight.record->calls = calls;
  sight.record->tensor_size = tensor_size;
  return sight;
}

/// The same, inside a call.
RankSight rank_inside(WatchedGroup group, WatchedCall call, std::array<std::uint64_t, kNumWatchedGroups> calls,
                      std::uint64_t tensor_size = 1) {
  RankSight sight = rank_at(Phase::backward, calls, tensor_size);
  sight.record->inside = sight.record->num_calls = 1;
  const std::uint64_t number = calls[static_cast<std::size_t>(group)];
  sight.record->kept[0] = {.number = static_cast<std::uint32_t>(number), .group = group, .call = call, .bytes = 8};
  return sight;
}

TEST(HangDiagnosis, BlamesWhoHasBegunTheFewestCalls) {
  const std::vector<RankSight> ranks = {rank_inside(WatchedGroup::world, WatchedCall::barrier, {9, 0, 0}),
                                        rank_inside(WatchedGroup::world, WatchedCall::barrier, {9, 0, 0}),
                                        rank_at(Phase::data, {8, 0, 0})};
  const Diagnosis found = diagnose(ranks, 0, WatchedGroup::world, kSilence);
  EXPECT_EQ(found.kind, Diagnosis::Kind::at_work);
  EXPECT_THAT(found.ranks, ElementsAre(2));
  EXPECT_THAT(found.text, HasSubstr("it is in data of step 3"));
}

TEST(HangDiagnosis, FollowsAWaitThroughTheMesh) {
  // 2 x 2: rank 0 waits in its data group {0, 2} for rank 2, which waits in its tensor group {2, 3} for rank 3.
  // Rank 1 is of neither group: that it is behind does not matter.
  const std::vector<RankSight> ranks = {rank_inside(WatchedGroup::data, WatchedCall::all_reduce, {5, 7, 4}, 2),
                                        rank_at(Phase::data, {5, 1, 4}, 2),
                                        rank_inside(WatchedGroup::tensor, WatchedCall::all_gather, {5, 6, 4}, 2),
                                        rank_at(Phase::optimizer, {5, 6, 3}, 2)};
  const Diagnosis found = diagnose(ranks, 0, WatchedGroup::data, kSilence);
  EXPECT_EQ(found.kind, Diagnosis::Kind::at_work);
  EXPECT_THAT(found.ranks, ElementsAre(3));
  EXPECT_THAT(found.text, HasSubstr("optimizer"));
}

TEST(HangDiagnosis, BlamesTheSilentBeforeAllOthers) {
  std::vector<RankSight> ranks = {rank_inside(WatchedGroup::data, WatchedCall::all_reduce, {0, 2, 0}),
                                  rank_at(Phase::forward, {0, 1, 0}),
                                  rank_inside(WatchedGroup::data, WatchedCall::all_reduce, {0, 2, 0}), RankSight{}};
  ranks[2].silent_seconds = ranks[3].silent_seconds = kSilence + 1;
  Diagnosis found = diagnose(ranks, 0, WatchedGroup::data, kSilence);
  EXPECT_EQ(found.kind, Diagnosis::Kind::stuck);
  EXPECT_THAT(found.ranks, ElementsAre(2));
  EXPECT_THAT(found.text, HasSubstr("does not run: no sign of life for 11 s"));
  EXPECT_THAT(found.text, HasSubstr("it was in backward of step 3, inside all_reduce 2 of the data axis"));

  // One that has left no record may have ended in peace: it comes last.
  ranks[2].silent_seconds = 0.0;
  found = diagnose(ranks, 0, WatchedGroup::data, kSilence);
  EXPECT_EQ(found.kind, Diagnosis::Kind::stuck);
  EXPECT_THAT(found.ranks, ElementsAre(3));
  EXPECT_THAT(found.text, HasSubstr("rank 3 has left no record"));
}

TEST(HangDiagnosis, TellsAStuckConnectionFromDifferentCalls) {
  std::vector<RankSight> ranks = {rank_inside(WatchedGroup::data, WatchedCall::all_reduce, {0, 2, 0}),
                                  rank_inside(WatchedGroup::data, WatchedCall::all_reduce, {0, 2, 0})};
  Diagnosis found = diagnose(ranks, 1, WatchedGroup::data, kSilence);
  EXPECT_EQ(found.kind, Diagnosis::Kind::together);
  EXPECT_THAT(found.ranks, ElementsAre(0, 1));
  EXPECT_THAT(found.text, HasSubstr("the connection between them"));
  ranks[0] = rank_inside(WatchedGroup::data, WatchedCall::broadcast, {0, 2, 0});
  found = diagnose(ranks, 1, WatchedGroup::data, kSilence);
  EXPECT_EQ(found.kind, Diagnosis::Kind::together);
  EXPECT_THAT(found.text, HasSubstr("rank 0 in backward of step 3, inside broadcast 2 of the data axis"));
}

TEST(HangDiagnosis, EndsWhereRanksWaitInACircle) {
  // Rank 0 waits for rank 1 in the world; rank 1 for rank 0 in the data axis.
  const std::vector<RankSight> ranks = {rank_inside(WatchedGroup::world, WatchedCall::barrier, {2, 1, 0}),
                                        rank_inside(WatchedGroup::data, WatchedCall::all_reduce, {1, 2, 0})};
  EXPECT_EQ(diagnose(ranks, 0, WatchedGroup::world, kSilence).kind, Diagnosis::Kind::together);
}

TEST(HangDiagnosis, BlamesTheRankThatIsStuckItself) {
  std::vector<RankSight> ranks = {rank_at(Phase::load, {1, 0, 0}),
                                  rank_inside(WatchedGroup::world, WatchedCall::barrier, {2, 0, 0})};
  ranks[0].still_seconds = 31.0;
  const Diagnosis found = diagnose(ranks, 0, std::nullopt, kSilence);
  EXPECT_THAT(found.ranks, ElementsAre(0));
  EXPECT_THAT(found.text, HasSubstr("its work has not gone on for 31 s: it is in load"));
}

class WatchdogTest : public testing::Test {
 protected:
  WatchdogOptions limits(std::chrono::milliseconds collective, std::chrono::milliseconds work) const {
    return {.collective_limit = collective, .work_limit = work, .folder = folder_.path()};
  }
  /// Two ranks in this process, which ends.
  void run_ranks(const WatchdogOptions& options, const std::function<void(Communicator&)>& body) const {
    spawn_ranks(2, [&](Communicator& world) {
      Watchdog watchdog(options, world);
      body(watchdog.world());
    });
    std::exit(0);
  }

  TemporaryDirectory folder_;
  const std::unique_ptr<Communicator> self_ = make_self_communicator();
};

TEST_F(WatchdogTest, EndsAProcessWhosePhaseDoesNotGoOn) {
  const auto hang = [&] {
    const Watchdog watchdog(limits(0ms, 300ms), *self_);
    enter_step(7);
    enter_phase(Phase::evaluation);
    std::this_thread::sleep_for(20s);
    std::exit(0);
  };
  EXPECT_EXIT(hang(), ExitedWithCode(Watchdog::kExitCode),
              "watchdog: rank 0 \\(.*, process [0-9]+\\) runs, but its work has not gone on for .* it is in evaluation "
              "after step 7; the run ends with exit code 86; more in .*hang-rank-0.txt\n$");
  const std::string report = read_file(folder_ / "hang-rank-0.txt");
  EXPECT_THAT(report, HasSubstr("rank 0: evaluation after step 7; unchanged for"));
  EXPECT_THAT(report, HasSubstr("nanosleep")) << "the main thread's stack";
}

TEST_F(WatchdogTest, LeavesAProcessAloneThatBeats) {
  const auto work = [&] {
    const Watchdog watchdog(limits(0ms, 1000ms), *self_);
    for (int i = 0; i < 50; ++i) {
      std::this_thread::sleep_for(50ms);
      beat();
    }
    std::exit(0);
  };
  EXPECT_EXIT(work(), ExitedWithCode(0), "");
}

TEST_F(WatchdogTest, DoesNotCountTimeForWhichTheProcessIsStopped) {
  const pid_t child = fork();
  if (child == 0) {
    const Watchdog watchdog(limits(0ms, 1500ms), *self_);
    for (int i = 0; i < 8; ++i) std::this_thread::sleep_for(100ms);
    ::_exit(0);
  }
  std::this_thread::sleep_for(300ms);
  ASSERT_EQ(::kill(child, SIGSTOP), 0);
  std::this_thread::sleep_for(2500ms);
  ASSERT_EQ(::kill(child, SIGCONT), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(WatchdogTest, WaitsForARankThatIsAtWork) {
  EXPECT_EXIT(run_ranks(limits(300ms, 1500ms),
                        [](Communicator& world) {
                          for (int i = 0; world.rank() == 1 && i < 24; ++i) {
                            std::this_thread::sleep_for(50ms);
                            beat();
                          }
                          world.barrier();
                        }),
              ExitedWithCode(0), "");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "watchdog"));
}

TEST_F(WatchdogTest, NamesTheRankThatIsStuckNotTheOneThatWaits) {
  EXPECT_EXIT(run_ranks(limits(300ms, 1000ms),
                        [](Communicator& world) {
                          if (world.rank() == 1) {
                            enter_phase(Phase::export_weights);
                            std::this_thread::sleep_for(20s);
                          }
                          world.barrier();
                        }),
              ExitedWithCode(Watchdog::kExitCode), "watchdog: rank 1 .* its work has not gone on for .* is in export;");
}

TEST_F(WatchdogTest, WithoutALimitForWorkTheWaitingRankEndsTheRun) {
  EXPECT_EXIT(run_ranks(limits(300ms, 0ms),
                        [](Communicator& world) {
                          if (world.rank() == 1) {
                            enter_phase(Phase::load);
                            std::this_thread::sleep_for(20s);
                          }
                          world.barrier();
                        }),
              ExitedWithCode(Watchdog::kExitCode),
              "watchdog: rank 1 .* it is in load; rank 0 has waited .* in start, inside barrier [0-9]+ of the world;");
}

TEST_F(WatchdogTest, WithoutRecordsNobodyIsNamed) {
  folder_.write("file", "");
  WatchdogOptions options = limits(300ms, 400ms);
  options.folder = folder_ / "file" / "run";
  EXPECT_EXIT(run_ranks(options,
                        [](Communicator& world) {
                          for (int i = 0; world.rank() == 1 && i < 200; ++i) {
                            std::this_thread::sleep_for(50ms);
                            beat();
                          }
                          world.barrier();
                        }),
              ExitedWithCode(Watchdog::kExitCode),
              "warning: watchdog: 2 ranks could not write their records(.|\n)*"
              "watchdog: the ranks cannot see each other's records: .*; rank 0 has waited 1 s in start, inside barrier");
}

TEST_F(WatchdogTest, WithoutLimitsDoesNothing) {
  spawn_ranks(2, [&](Communicator& world) {
    Watchdog watchdog(limits(0ms, 0ms), world);
    EXPECT_EQ(watchdog.watch(), nullptr);
    EXPECT_EQ(&watchdog.world(), &world);
    watchdog.watch_end();
    beat();
  });
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(WatchdogTest, KeepsWhereARankIsInItsRecord) {
  std::filesystem::create_directory(folder_ / "watchdog");
  folder_.write("watchdog/rank-2", "of an earlier run on three ranks");
  spawn_ranks(2, [&](Communicator& world) {
    Watchdog watchdog(limits(1h, 1h), world);
    const auto record = [&] { return read_record(folder_ / "watchdog" / fmt::format("rank-{}", world.rank())).value(); };
    const std::uint64_t before = record().begun(WatchedGroup::world);
    at::Tensor sum = at::ones({4}, at::kFloat);
    watchdog.world().all_reduce(sum, ReduceOp::sum);
    EXPECT_EQ(record().begun(WatchedGroup::world), before + 1);
    EXPECT_EQ(record().inside, 0u);
    EXPECT_EQ(record().newest().call, WatchedCall::all_reduce);
    EXPECT_EQ(record().newest().bytes, 16u);

    DeviceMesh mesh(watchdog.world(), 1, 2, at::kCPU, nullptr, watchdog.watch());
    mesh.axis(MeshAxis::tensor).barrier();
    const std::unique_ptr<Communicator> beside = mesh.beside(MeshAxis::tensor);
    beside->barrier();
    EXPECT_EQ(record().tensor_size, 2u);
    EXPECT_EQ(record().newest().group, WatchedGroup::tensor);
    EXPECT_EQ(record().newest().number, 3u) << "a barrier, the split, the barrier of the group that it gave";
    const std::uint64_t in_first_mesh = record().begun(WatchedGroup::tensor);
    const DeviceMesh next(watchdog.world(), 2, 1, at::kCPU, nullptr, watchdog.watch());
    EXPECT_GT(record().begun(WatchedGroup::tensor), in_first_mesh) << "calls of a later mesh come later";
    enter_phase(Phase::checkpoint);
    EXPECT_EQ(place_of(record()), "checkpoint");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "watchdog" / "rank-2")) << "of an earlier run";
    world.barrier();
  });
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(WatchdogTest, ACallThatThrowsIsOver) {
  spawn_ranks(2, [&](Communicator& world) {
    Watchdog watchdog(limits(1h, 1h), world);
    at::Tensor wrong = at::ones({4}, at::kHalf);
    EXPECT_ANY_THROW(watchdog.world().all_reduce(wrong, ReduceOp::sum));
    const RankRecord record = read_record(folder_ / "watchdog" / fmt::format("rank-{}", world.rank())).value();
    EXPECT_EQ(record.inside, 0u);
  });
}

TEST_F(WatchdogTest, ItsThreadsTakeNoSignals) {
  const auto blocking = [] {
    int count = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream status(task.path() / "status");
      for (std::string line; std::getline(status, line);) {
        if (!line.starts_with("SigBlk:")) continue;
        const std::uint64_t mask = std::stoull(line.substr(7), nullptr, 16);
        const auto has = [&](int signal) { return (mask >> (signal - 1) & 1) != 0; };
        count += has(SIGUSR1) && has(SIGTERM) ? 1 : 0;
      }
    }
    return count;
  };
  const int before = blocking();
  const Watchdog watchdog(limits(1h, 1h), *self_);
  EXPECT_EQ(blocking(), before + 2);
}

TEST(SharedRecordTest, IsReadBackWholeOrNotAtAll) {
  const TemporaryDirectory folder;
  {
    const SharedRecord record(folder / "rank-0");
    record->tensor_size = 4;
    EXPECT_EQ(read_record(folder / "rank-0").value().tensor_size, 4u);
    record->kept[5].group = static_cast<WatchedGroup>(77);
    EXPECT_FALSE(read_record(folder / "rank-0")) << "not ours";
    std::filesystem::resize_file(folder / "rank-0", 100);
    EXPECT_FALSE(read_record(folder / "rank-0"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "rank-0"));
  EXPECT_THROW(SharedRecord(folder / "nowhere" / "rank-0"), std::system_error);
}

}  // namespace
}  // namespace entune::test
