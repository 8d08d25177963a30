#include "trainer/loop/watchdog.h"

#include <execinfo.h>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

#include "trainer/telemetry/signals_elsewhere.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using namespace std::chrono_literals;

// A folder on a network may show what other machines wrote this much later.
constexpr double kDelayBetweenMachines = 60.0;
// What the report may take before the rank ends without one; what a rank with nothing new to say leaves to the one that
// speaks; what the ranks' first look at each other's findings waits for.
constexpr double kReportSeconds = 4.0;
constexpr auto kListening = 2500ms;
constexpr auto kMeeting = 200ms;

template <typename Value>
void set(Value& shared, Value value) {
  std::atomic_ref<Value>(shared).store(value, std::memory_order_relaxed);
}
template <typename Value>
Value get(Value& shared) {
  return std::atomic_ref<Value>(shared).load(std::memory_order_relaxed);
}

double seconds(std::chrono::milliseconds time) { return std::chrono::duration<double>(time).count(); }

void print(const std::string& line) {
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;  // nobody is left to hear it
}

std::atomic<int> stack_file = -1;
std::atomic<bool> stack_written = false;

extern "C" void write_stack(int) {
  void* frames[64];
  ::backtrace_symbols_fd(frames, ::backtrace(frames, 64), stack_file);
  stack_written = true;
}

/// Where `thread` is, function by function. One that does not take signals has none.
void write_stack_of(pthread_t thread, int file) {
  stack_file = file;
  struct sigaction action = {};
  action.sa_handler = write_stack;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR2, &action, nullptr);  // the process ends here: what the signal did before does not matter
  ::pthread_kill(thread, SIGUSR2);
  for (int i = 0; i < 25 && !stack_written; ++i) std::this_thread::sleep_for(20ms);
}

std::string describe(int rank, const RankSight& sight) {
  if (!sight.record) return fmt::format("rank {}: no record\n", rank);
  return fmt::format("rank {}: {}; unchanged for {:.1f} s, last sign of life {:.1f} s ago; {}, process {}\n", rank,
                     place_of(*sight.record), sight.still_seconds, sight.silent_seconds, sight.record->machine.data(),
                     sight.record->process);
}

std::string last_calls(const RankRecord& record) {
  std::string lines;
  const std::uint64_t num_kept = std::min<std::uint64_t>(record.num_calls, RankRecord::kNumKept);
  for (std::uint64_t i = record.num_calls - num_kept; i < record.num_calls; ++i) {
    const RankRecord::Call& call = record.kept[i % RankRecord::kNumKept];
    lines += fmt::format("{} {}: {}, {} bytes{}\n", name_of(call.group), call.number, name_of(call.call), call.bytes,
                         record.inside != 0 && i + 1 == record.num_calls ? ", not over" : "");
  }
  return lines;
}

}  // namespace

double Watchdog::RunningTime::passed() {
  const Clock::time_point now = Clock::now();
  // A longer break is one of the whole process.
  seconds_ += std::min(std::chrono::duration<double>(now - last_).count(), 4.0 * seconds(tick_));
  last_ = now;
  return seconds_;
}

Watchdog::Watchdog(Alone, WatchdogOptions options, Communicator& world)
    : options_(std::move(options)),
      world_(world),
      rank_(world.rank()),
      size_(world.size()),
      watched_thread_(::pthread_self()) {
  if (!is_on()) return;
  std::chrono::milliseconds shortest = std::max(options_.collective_limit, options_.work_limit);
  for (const auto limit : {options_.collective_limit, options_.work_limit})
    if (limit.count() > 0) shortest = std::min(shortest, limit);
  tick_ = std::clamp<std::chrono::milliseconds>(shortest / 32, 10ms, 1s);
  sample_gap_ = std::clamp<std::chrono::milliseconds>(shortest / 32, 10ms, 20s);
  silence_seconds_ = seconds(shortest) - 4.0 * seconds(sample_gap_);  // looking around begins late
  open_record();
  set_pulse(&(*record_)->pulse);
  void* frame = nullptr;
  ::backtrace(&frame, 1);  // loads what the first call needs
  const SignalsElsewhere signals;
  time_ = std::thread([this] { keep_time(); });
  records_ = std::thread([this] { keep_records(); });
}

Watchdog::Watchdog(WatchdogOptions options, Communicator& world)
    : Watchdog(Alone(), std::move(options), world) {
  if (!is_on() || size_ == 1) return;
  watched_world_ = make_watched_communicator(world, WatchedGroup::world, *this);
  const double num_without = over_ranks(*watched_world_, record_failure_.empty() ? 0.0 : 1.0, ReduceOp::sum);
  if (num_without > 0.0) {
    sees_others_ = false;
    if (rank_ == 0) {
      print(fmt::format("warning: watchdog: {} ranks could not write their records in {} ({}); a rank that is stuck ends "
                        "the run later, and is not named\n",
                        num_without, record_path(0).parent_path().string(),
                        record_failure_.empty() ? "others than rank 0" : record_failure_));
    }
  }
  if (watched_world_->split_by_machine()->size() < size_)
    silence_seconds_ = std::max<double>(silence_seconds_, kDelayBetweenMachines);
  if (rank_ > 0) return;
  std::error_code ignored;  // of an earlier run on more ranks
  for (int rank = size_; fs::remove(record_path(rank), ignored); ++rank) {
  }
}

Watchdog::~Watchdog() {
  if (!is_on()) return;
  set_pulse(nullptr);
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  time_.join();
  records_.join();
  record_.reset();
  std::error_code ignored;  // others' records may still be there; another job may be about to write its own
  if (size_ > 1 && options_.job.empty()) fs::remove(record_path(0).parent_path(), ignored);
  if (made_folder_) fs::remove(options_.folder, ignored);
}

fs::path Watchdog::record_path(int rank) const {
  return options_.folder / "watchdog" / fmt::format("{}rank-{}", options_.job, rank);
}

void Watchdog::open_record() {
  try {
    if (size_ > 1) {
      const fs::path file = record_path(rank_);
      made_folder_ = fs::create_directories(options_.folder);
      if (made_folder_) fs::permissions(options_.folder, fs::perms::owner_all);
      fs::create_directories(file.parent_path());
      record_ = std::make_unique<SharedRecord>(file);
      sees_others_ = true;
    }
  } catch (const std::exception& error) {
    record_failure_ = error.what();
  }
  if (!record_) record_ = std::make_unique<SharedRecord>("");
  RankRecord& record = **record_;
  record.process = ::getpid();
  ::gethostname(record.machine.data(), record.machine.size() - 1);
}

void Watchdog::watch_end() {
  if (!is_on()) return;
  enter_phase(Phase::finish);
  begin(WatchedGroup::world, WatchedCall::finalize, 0);
}

void Watchdog::begin_mesh(int tensor_size) {
  RankRecord& record = **record_;
  ++mesh_;
  set(record.tensor_size, static_cast<std::uint64_t>(tensor_size));
  for (const WatchedGroup axis : {WatchedGroup::data, WatchedGroup::tensor})
    set(record.calls[static_cast<std::size_t>(axis)], mesh_ << 32);
}

void Watchdog::begin(WatchedGroup group, WatchedCall call, std::size_t bytes) {
  RankRecord& record = **record_;
  std::uint64_t& begun = record.calls[static_cast<std::size_t>(group)];
  set(begun, begun + 1);
  RankRecord::Call& kept = record.kept[record.num_calls % RankRecord::kNumKept];
  set(kept.number, static_cast<std::uint32_t>(begun));
  set(kept.group, group);
  set(kept.call, call);
  set(kept.bytes, static_cast<std::uint64_t>(bytes));
  set(record.num_calls, record.num_calls + 1);
  set(record.inside, std::uint64_t{1});
  set(record.pulse.beats, record.pulse.beats + 1);
}

void Watchdog::end() {
  RankRecord& record = **record_;
  set(record.inside, std::uint64_t{0});
  set(record.pulse.beats, record.pulse.beats + 1);
}

void Watchdog::overdue(WatchedGroup group) {
  overdue_group_ = static_cast<int>(group);
  overdue_at_ = Clock::now().time_since_epoch().count();
}

std::optional<WatchedGroup> Watchdog::waits_in() const {
  RankRecord& record = **record_;
  if (get(record.inside) != 0) return get(record.kept[(get(record.num_calls) - 1) % RankRecord::kNumKept].group);
  const Clock::duration since = Clock::now().time_since_epoch() - Clock::duration(overdue_at_);
  if (overdue_group_ >= 0 && since < 2s) return static_cast<WatchedGroup>(overdue_group_.load());
  return std::nullopt;
}

double Watchdog::limit_now() const {
  if (!waits_in()) return seconds(options_.work_limit);
  const bool is_longer = options_.collective_limit.count() > 0 && !sees_others_;
  return seconds(options_.collective_limit) + (is_longer ? seconds(options_.work_limit) : 0.0);
}

bool Watchdog::sleep() {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, tick_, [this] { return ending_; });
}

void Watchdog::keep_time() {
  RunningTime time(tick_);
  std::uint64_t beats = 0, rounds = 0;
  double beat_at = 0.0, round_at = 0.0;
  while (sleep()) {
    const double now = time.passed();
    if (std::exchange(beats, get((*record_)->pulse.beats)) != beats) beat_at = now;
    if (std::exchange(rounds, rounds_.load()) != rounds) round_at = now;
    still_seconds_ = now - beat_at;
    const double limit = limit_now();
    if (limit == 0.0 || still_seconds_ < limit || now - round_at < kReportSeconds) continue;
    print(fmt::format("watchdog: rank {} has not gone on for {:.0f} s and cannot tell why: {} does not answer; the run "
                      "ends with exit code {}\n",
                      rank_, still_seconds_.load(), options_.folder.string(), kExitCode));
    ::_exit(kExitCode);
  }
}

void Watchdog::keep_records() {
  RunningTime time(tick_);
  double looked_at = 0.0, looked_after = 0.0;
  for (; sleep(); ++rounds_) {
    const double now = time.passed(), still = still_seconds_, limit = limit_now();
    set((*record_)->heartbeats, (*record_)->heartbeats + 1);
    if (still < 2.0 * seconds(sample_gap_)) {
      seen_.clear();
      looked_after = 0.0;
      continue;
    }
    const bool is_due = seen_.empty() || now - looked_at >= seconds(sample_gap_);
    if (!is_due && !(looked_after < limit && still >= limit)) continue;
    looked_at = now;
    looked_after = still;
    const std::vector<RankSight> sights = look_around(now);
    if (limit == 0.0 || still < limit) continue;
    if (const std::optional<Diagnosis> found = find_stuck(sights)) report(*found, sights);
  }
}

std::vector<RankSight> Watchdog::look_around(double now) {
  std::vector<RankSight> sights(static_cast<std::size_t>(size_));
  if (seen_.empty()) seen_.resize(sights.size(), {.heartbeat_at = now, .beat_at = now});
  for (std::size_t rank = 0; rank < sights.size(); ++rank) {
    const bool is_self = static_cast<int>(rank) == rank_;
    RankSight& sight = sights[rank];
    // This rank's own does not change any more, or what is said of it does not matter.
    if (is_self) {
      sight.record.emplace();
      std::memcpy(static_cast<void*>(&*sight.record), record_->get(), sizeof(RankRecord));
    } else if (sees_others_) {
      sight.record = read_record(record_path(static_cast<int>(rank)));
    }
    Seen& seen = seen_[rank];
    const std::uint64_t heartbeats = sight.record ? sight.record->heartbeats + 1 : 0;
    const std::uint64_t beats = sight.record ? sight.record->pulse.beats + 1 : 0;
    if (std::exchange(seen.heartbeats, heartbeats) != heartbeats) seen.heartbeat_at = now;
    if (std::exchange(seen.beats, beats) != beats) seen.beat_at = now;
    sight.silent_seconds = now - seen.heartbeat_at;
    sight.still_seconds = is_self ? still_seconds_.load() : now - seen.beat_at;
  }
  return sights;
}

std::optional<Diagnosis> Watchdog::find_stuck(const std::vector<RankSight>& sights) const {
  const std::optional<WatchedGroup> group = waits_in();
  if (group && !sees_others_) {
    return Diagnosis{.kind = Diagnosis::Kind::together,
                     .ranks = {},
                     .text = "the ranks cannot see each other's records: who is stuck is not known"};
  }
  const auto is_still = [&](int rank) { return sights[static_cast<std::size_t>(rank)].still_seconds >= silence_seconds_; };
  Diagnosis found = diagnose(sights, rank_, group, silence_seconds_);
  switch (found.kind) {
    case Diagnosis::Kind::stuck:
      return found;
    case Diagnosis::Kind::together:
      if (!std::ranges::all_of(found.ranks, is_still)) return std::nullopt;  // the last one has just come
      return found;
    case Diagnosis::Kind::at_work:
      break;
  }
  const int rank = found.ranks.front();
  if (rank != rank_ && (options_.work_limit.count() > 0 || !is_still(rank))) return std::nullopt;
  return found;
}

bool Watchdog::speaks() {
  set((*record_)->report, RankRecord::found);
  std::this_thread::sleep_for(kMeeting);  // ranks that wait for the same find it at about the same time
  for (int rank = 0; rank < size_ && sees_others_; ++rank) {
    if (rank == rank_) continue;
    const std::optional<RankRecord> other = read_record(record_path(rank));
    if (!other) continue;
    if (other->report == RankRecord::said || (other->report == RankRecord::found && rank < rank_)) return false;
  }
  set((*record_)->report, RankRecord::said);
  return true;
}

void Watchdog::report(const Diagnosis& diagnosis, const std::vector<RankSight>& sights) {
  const RankSight& own = sights[static_cast<std::size_t>(rank_)];
  std::string verdict = diagnosis.text;
  if (diagnosis.ranks != std::vector<int>{rank_})
    verdict += fmt::format("; rank {} has waited {:.0f} s in {}", rank_, own.still_seconds, place_of(*own.record));
  const bool is_speaker = speaks();
  const std::string more = write_report(verdict, sights);
  if (!is_speaker) std::this_thread::sleep_for(kListening);
  if (is_speaker) print(fmt::format("watchdog: {}; the run ends with exit code {}{}\n", verdict, kExitCode, more));
  ::_exit(kExitCode);
}

std::string Watchdog::write_report(const std::string& verdict, const std::vector<RankSight>& sights) const {
  const fs::path path = options_.folder / fmt::format("hang-{}rank-{}.txt", options_.job, rank_);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return "";
  std::string text = fmt::format("{:%Y-%m-%d %H:%M:%S} UTC, rank {} of {}\n{}\n\n", fmt::gmtime(std::time(nullptr)),
                                 rank_, size_, verdict);
  for (std::size_t rank = 0; rank < sights.size(); ++rank) text += describe(static_cast<int>(rank), sights[rank]);
  const RankRecord& own = *sights[static_cast<std::size_t>(rank_)].record;
  text += fmt::format("\nlast collectives of rank {}:\n{}\nwhere its main thread is:\n", rank_, last_calls(own));
  if (::write(file, text.data(), text.size()) < 0) return "";
  write_stack_of(watched_thread_, file);
  return "; more in " + path.string();
}

}  // namespace entune
