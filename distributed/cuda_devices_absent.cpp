#include <stdexcept>

#include "distributed/cuda_devices.h"

namespace entune {

bool built_with_cuda() { return false; }
std::vector<std::string> visible_gpus() { return {}; }
void use_deterministic_algorithms(bool) {}
void use_gpu(at::Device) { throw std::runtime_error("this build has no CUDA in it; configure it with ENTUNE_CUDA=on"); }

}  // namespace entune
