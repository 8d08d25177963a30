#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "distributed/collective_watch.h"
#include "trainer/loop/hang_diagnosis.h"
#include "trainer/loop/rank_record.h"

namespace entune {

struct WatchdogOptions {
  /// What a collective may take while none of the ranks that it waits for is at work.
  std::chrono::milliseconds collective_limit{0};
  /// What any other work may take without a beat (pulse.h). 0: no limit, of either.
  std::chrono::milliseconds work_limit{0};
  std::filesystem::path folder;  ///< of the run; all ranks see it
  std::string job = {};          ///< tells jobs apart that share the folder: a part of its files' names
};

/// Ends the job (exit code 86; mpirun then ends the other ranks, stopped ones too) when this rank or one that it waits
/// for is stuck. One rank says on standard error who is, and writes hang-<job>rank-<n>.txt into the folder: where every rank
/// is, this one's last collectives and its call stack.
///
/// Each rank keeps a record (rank_record.h) in <folder>/watchdog/<job>rank-<n> while it runs, by which the ranks see each
/// other. Where the records cannot be written a rank cannot tell whether others are at work: collectives get both limits
/// together, and nobody is named.
///
/// Time for which the process does not run (SIGSTOP, a suspended machine) does not count. Its threads make no call to
/// MPI or CUDA, take no signals, and wait for no file system: a folder that hangs costs the report some of its contents.
class Watchdog : public CollectiveWatch {
 public:
  static constexpr int kExitCode = 86;

  /// Begins to watch the calling thread, whose phase is now `start`. Collective. Without limits it does nothing at all.
  Watchdog(WatchdogOptions options, Communicator& world);
  /// Not collective. Of the thread that is watched.
  ~Watchdog() override;
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// The world, watched.
  Communicator& world() { return watched_world_ ? *watched_world_ : world_; }
  /// For a DeviceMesh; null without limits.
  CollectiveWatch* watch() { return is_on() ? this : nullptr; }
  /// From now on the ranks part: what is left is MPI_Finalize, which waits for all of them. world() may be gone.
  void watch_end();

  void begin_mesh(int tensor_size) override;
  void begin(WatchedGroup group, WatchedCall call, std::size_t bytes) override;
  void end() override;
  void overdue(WatchedGroup group) override;
  std::chrono::milliseconds limit() const override { return options_.collective_limit; }

 private:
  using Clock = std::chrono::steady_clock;
  /// Seconds for which this process ran.
  class RunningTime {
   public:
    explicit RunningTime(std::chrono::milliseconds tick) : tick_(tick) {}
    double passed();

   private:
    std::chrono::milliseconds tick_;
    double seconds_ = 0.0;
    Clock::time_point last_ = Clock::now();
  };
  struct Seen {
    std::uint64_t heartbeats = 0, beats = 0;  // of its record, plus one; 0: it has none
    double heartbeat_at = 0.0, beat_at = 0.0;
  };

  /// All that is not collective.
  Watchdog(Communicator& world, WatchdogOptions options);
  bool is_on() const { return options_.collective_limit.count() > 0 || options_.work_limit.count() > 0; }
  std::filesystem::path record_path(int rank) const;
  void open_record();
  bool sleep();
  void keep_time();
  void keep_records();
  std::optional<WatchedGroup> waits_in() const;
  /// In seconds, of where this rank is; 0: none.
  double limit_now() const;
  std::vector<RankSight> look_around(double now);
  /// Why the run is to end; none: somebody is at work.
  std::optional<Diagnosis> find_stuck(const std::vector<RankSight>& sights) const;
  [[noreturn]] void report(const Diagnosis& diagnosis, const std::vector<RankSight>& sights);
  /// Whether this rank is the one that says it.
  bool speaks();
  /// Returns what to say of the file.
  std::string write_report(const std::string& verdict, const std::vector<RankSight>& sights) const;

  WatchdogOptions options_;
  Communicator& world_;
  const int rank_, size_;
  std::unique_ptr<Communicator> watched_world_;
  std::chrono::milliseconds tick_{0}, sample_gap_{0};
  std::atomic<double> silence_seconds_ = 0.0;  // after which a rank counts as stopped
  std::atomic<bool> sees_others_ = false;
  bool made_folder_ = false;
  std::string record_failure_;
  std::unique_ptr<SharedRecord> record_;
  std::uint64_t mesh_ = 0;
  const pthread_t watched_thread_;

  std::atomic<double> still_seconds_ = 0.0;  // without a beat
  std::atomic<int> overdue_group_ = -1;
  std::atomic<Clock::rep> overdue_at_ = 0;
  std::atomic<std::uint64_t> rounds_ = 0;  // of keep_records
  std::vector<Seen> seen_;                 // since this rank has stood still; keep_records' alone

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread time_, records_;
};

}  // namespace entune
