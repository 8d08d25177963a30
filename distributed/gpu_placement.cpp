#include "distributed/gpu_placement.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "distributed/cuda_devices.h"

namespace entune {
namespace {

constexpr std::size_t kIdentifierLength = 16;  // of CUDA's uuid

std::string join(const std::vector<std::string>& identifiers) {
  std::string all;
  for (const std::string& one : identifiers) all += one;
  return all;
}

std::vector<std::string> split_up(const std::string& all) {
  std::vector<std::string> identifiers;
  for (std::size_t i = 0; i < all.size(); i += kIdentifierLength)
    identifiers.push_back(all.substr(i, kIdentifierLength));
  return identifiers;
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "this machine";
}

bool gpus_may_be_shared() {
  const char* const value = std::getenv("ENTUNE_SHARE_GPUS");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

// What NCCL reads when it first starts in a process; what the user has set stays.
void stand_as_a_machine_of_its_own(int world_rank) {
  setenv("NCCL_HOSTID", ("entune-rank-" + std::to_string(world_rank)).c_str(), 0);
  setenv("NCCL_SOCKET_IFNAME", "lo", 0);
  setenv("NCCL_IB_DISABLE", "1", 0);
  setenv("NCCL_NET_PLUGIN", "none", 0);
  setenv("NCCL_MNNVL_ENABLE", "0", 0);
  setenv("NCCL_RAS_ENABLE", "0", 0);
  setenv("NCCL_MAX_CTAS", "2", 0);  // the ranks' kernels must fit on the GPU together
}

}  // namespace

std::vector<std::optional<int>> assign_gpus(const std::vector<std::vector<std::string>>& visible) {
  std::set<std::string> taken;
  std::vector<std::optional<int>> assigned;
  for (const std::vector<std::string>& gpus : visible) {
    const auto free = std::ranges::find_if(gpus, [&](const std::string& gpu) { return !taken.contains(gpu); });
    if (free == gpus.end()) {
      assigned.emplace_back();
    } else {
      assigned.emplace_back(static_cast<int>(free - gpus.begin()));
      taken.insert(*free);
    }
  }
  return assigned;
}

GpuPlacement place_on_gpus(Communicator& world) {
  const std::unique_ptr<Communicator> machine = world.split_by_machine();
  std::vector<std::vector<std::string>> visible;
  for (const std::string& gpus : all_gather_bytes(*machine, join(visible_gpus()))) visible.push_back(split_up(gpus));
  std::vector<std::optional<int>> assigned = assign_gpus(visible);
  std::set<std::string> found;
  for (const std::vector<std::string>& gpus : visible) found.insert(gpus.begin(), gpus.end());
  if (gpus_may_be_shared()) {
    const bool needed = std::ranges::find(assigned, std::optional<int>()) != assigned.end();
    for (std::size_t r = 0; r < assigned.size(); ++r) {
      if (!assigned[r] && !visible[r].empty()) assigned[r] = static_cast<int>(r % visible[r].size());
    }
    if (needed && !found.empty()) stand_as_a_machine_of_its_own(world.rank());
  }

  GpuPlacement placement;
  const std::optional<int> mine = assigned[static_cast<std::size_t>(machine->rank())];
  if (mine) placement.device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(*mine));
  std::string shortage;
  if (std::ranges::find(assigned, std::optional<int>()) != assigned.end()) {
    shortage = "expected a GPU for each of " + std::to_string(machine->size()) + " ranks on " + host_name() +
               ", found " + std::to_string(found.size());
  }
  for (const std::string& other : all_gather_bytes(world, shortage)) {
    if (placement.shortage.empty()) placement.shortage = other;
  }
  placement.every_rank = placement.shortage.empty();
  at::Tensor has_one = at::full({1}, mine ? 1 : 0, at::kLong);
  world.all_reduce(has_one, ReduceOp::max);
  placement.any_rank = has_one.item<std::int64_t>() == 1;
  return placement;
}

}  // namespace entune
