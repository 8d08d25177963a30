#include "distributed/cuda_devices.h"

#include <ATen/Context.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>

#include <cstdlib>

namespace entune {

bool built_with_cuda() { return true; }

std::vector<std::string> visible_gpus() {
  if (!at::hasCUDA()) return {};
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    C10_CUDA_CLEAR_ERROR();  // no driver or no GPU: nothing is wrong with the process
    return {};
  }
  std::vector<std::string> gpus;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, i));
    gpus.emplace_back(properties.uuid.bytes, sizeof properties.uuid.bytes);
  }
  return gpus;
}

void use_deterministic_algorithms(bool deterministic) {
  if (deterministic) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  at::globalContext().setDeterministicAlgorithms(deterministic, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

void use_gpu(at::Device gpu) { c10::cuda::set_device(gpu.index()); }

}  // namespace entune
