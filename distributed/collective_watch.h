#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "distributed/communicator.h"

namespace entune {

/// Whom a group connects: all ranks, or those of an axis of the mesh (device_mesh.h).
enum class WatchedGroup : std::uint8_t { world, data, tensor };
constexpr std::size_t kNumWatchedGroups = 3;
const char* name_of(WatchedGroup group);

enum class WatchedCall : std::uint8_t { all_reduce, all_gather, reduce_scatter, broadcast, barrier, split, finalize };
constexpr std::size_t kNumWatchedCalls = 7;
const char* name_of(WatchedCall call);

/// Is told where this rank stands in its collectives, so that a thread beside it can tell when one does not end. The
/// ranks of a group make the same calls in the same order: one that has begun fewer is behind. Calls neither overlap
/// nor nest; they need not all come from one thread.
class CollectiveWatch {
 public:
  virtual ~CollectiveWatch() = default;

  /// A new mesh: its axes' calls count from 0 again.
  virtual void begin_mesh(int tensor_size) = 0;
  virtual void begin(WatchedGroup group, WatchedCall call, std::size_t bytes) = 0;
  virtual void end() = 0;
  /// A call that waits on a GPU's queue has waited for longer than limit(). Called from any thread, again and again for
  /// as long as it is so.
  virtual void overdue(WatchedGroup group) = 0;
  /// What a call may take; 0: any time.
  virtual std::chrono::milliseconds limit() const = 0;
};

/// `inner` with `watch` told of every call; both must outlive the result. Groups that are split from it are not
/// watched: who makes one knows what it is.
std::unique_ptr<Communicator> make_watched_communicator(Communicator& inner, WatchedGroup group,
                                                        CollectiveWatch& watch);
std::unique_ptr<Communicator> make_watched_communicator(std::unique_ptr<Communicator> inner, WatchedGroup group,
                                                        CollectiveWatch& watch);

/// Its lifetime is a call.
class WatchedScope {
 public:
  WatchedScope(CollectiveWatch* watch, WatchedGroup group, WatchedCall call, std::size_t bytes = 0) : watch_(watch) {
    if (watch_ != nullptr) watch_->begin(group, call, bytes);
  }
  ~WatchedScope() {
    if (watch_ != nullptr) watch_->end();
  }
  WatchedScope(const WatchedScope&) = delete;
  WatchedScope& operator=(const WatchedScope&) = delete;

 private:
  CollectiveWatch* watch_;
};

}  // namespace entune
