#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

namespace entune {

/// Whether CUDA and NCCL are in this build (CMake's ENTUNE_CUDA).
bool built_with_cuda();

/// The GPUs that this process sees, by identifiers that no two GPUs share; CUDA's index is the place in the list. Empty
/// where there is no GPU, no driver, no CUDA in the build, or no CUDA operators in the program (LibTorch::torch_cuda).
std::vector<std::string> visible_gpus();

/// From now on the operators of GPUs give the same bits from run to run, or refuse where they cannot: attention without
/// atomics, cuBLAS with a fixed workspace, NCCL by ring and a fixed protocol in communicators made afterwards. Of
/// cuBLAS and NCCL, to be called before their first use in the process.
void use_deterministic_algorithms(bool deterministic);

/// Makes `gpu` the current one of the calling thread. Throws std::runtime_error in a build without CUDA.
void use_gpu(at::Device gpu);

}  // namespace entune
