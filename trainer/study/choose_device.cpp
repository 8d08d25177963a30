#include "trainer/study/choose_device.h"

#include <fmt/format.h>

#include "data/input_error.h"
#include "distributed/cuda_devices.h"
#include "distributed/gpu_placement.h"

namespace entune {

at::Device choose_device(const Recipe& recipe, Communicator& world) {
  const std::string& transport = recipe.parallel.transport;
  const bool demanded = transport == "nccl";
  if (demanded && !built_with_cuda()) {
    throw InputError(
        "parallel.transport: nccl: this build has no CUDA in it; build with ENTUNE_CUDA=on (scripts/setup.sh gets what "
        "that needs), or set parallel.transport: mpi to work on CPUs");
  }
  if (transport == "mpi" || !built_with_cuda()) return at::kCPU;
  const GpuPlacement placement = place_on_gpus(world);
  if (placement.every_rank) return *placement.device;
  if (!placement.any_rank && !demanded) return at::kCPU;
  throw InputError(
      fmt::format("parallel.transport: {}: {}; start one rank a GPU, or set parallel.transport: mpi to work on CPUs",
                  transport, placement.shortage));
}

}  // namespace entune
