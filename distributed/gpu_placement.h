#pragma once

#include <c10/core/Device.h>

#include <optional>
#include <string>
#include <vector>

#include "distributed/communicator.h"

namespace entune {

/// The GPU, by index into what it sees, that each rank of one machine takes: rank after rank the first one that nobody
/// before it has taken. visible[r] are the identifiers of those that rank r sees, which may be all of the machine's or
/// its own alone (as Slurm binds them).
std::vector<std::optional<int>> assign_gpus(const std::vector<std::vector<std::string>>& visible);

/// How the ranks of the world stand to GPUs.
struct GpuPlacement {
  std::optional<at::Device> device;  ///< this rank's own
  bool every_rank = false;           ///< each rank of the world has one
  bool any_rank = false;
  /// "expected a GPU for each of 4 ranks on HOST, found 2", of the first machine that lacks some; empty if none does.
  std::string shortage;
};

/// Collective over the world; equal on every rank but for `device`. With ENTUNE_SHARE_GPUS=1 in the environment ranks
/// that find no GPU of their own share one (for tests of several ranks on one GPU; slow): NCCL, which refuses two ranks
/// on one GPU of a machine, is told by NCCL_HOSTID that each rank is a machine by itself.
GpuPlacement place_on_gpus(Communicator& world);

}  // namespace entune
