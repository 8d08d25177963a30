#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "distributed/collective_watch.h"
#include "trainer/telemetry/pulse.h"

namespace entune {

/// Where a rank is, for the watchdogs of all. Plain numbers, zero at first; a file of it is the same bytes, on one kind
/// of machine. Written by std::atomic_ref, relaxed, while others read.
struct RankRecord {
  static constexpr std::size_t kNumKept = 64;
  struct Call {
    std::uint32_t number = 0;  ///< on its group, from 1
    WatchedGroup group = WatchedGroup::world;
    WatchedCall call = WatchedCall::all_reduce;
    std::uint64_t bytes = 0;
  };

  Pulse pulse;
  std::uint64_t heartbeats = 0;  ///< raised all the time by the rank's watchdog: the process runs
  std::uint64_t inside = 0;      ///< whether it is inside the newest of `kept`
  std::uint64_t num_calls = 0;   ///< begun, of all groups
  std::uint64_t tensor_size = 1;
  /// Begun on each group: the mesh's number in the upper half, which orders calls of several meshes.
  std::array<std::uint64_t, kNumWatchedGroups> calls{};
  enum Word : std::uint64_t { none, found, said } report = none;  ///< whether it has found the run stuck, and said so
  std::int64_t process = 0;
  std::array<char, 64> machine{};
  std::array<Call, kNumKept> kept{};  ///< the last ones, round and round

  /// The newest call; there must be one.
  const Call& newest() const { return kept[(num_calls - 1) % kNumKept]; }
  bool is_inside(WatchedGroup group) const { return inside != 0 && newest().group == group; }
  std::uint64_t begun(WatchedGroup group) const { return calls[static_cast<std::size_t>(group)]; }
};

/// A record in memory that is a file too, so that other processes, on this machine and on others that share the folder,
/// see it; without a path in memory alone. The file goes when the object does.
class SharedRecord {
 public:
  /// Throws std::runtime_error where the file cannot be made.
  explicit SharedRecord(const std::filesystem::path& file);
  ~SharedRecord();
  SharedRecord(const SharedRecord&) = delete;
  SharedRecord& operator=(const SharedRecord&) = delete;

  RankRecord& operator*() const { return *record_; }
  RankRecord* operator->() const { return record_; }
  RankRecord* get() const { return record_; }

 private:
  std::filesystem::path file_;
  RankRecord* record_ = nullptr;
};

/// None where there is no whole record.
std::optional<RankRecord> read_record(const std::filesystem::path& file);

}  // namespace entune
