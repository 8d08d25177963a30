#include "distributed/cuda_devices.h"

#include <ATen/Context.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

namespace entune {
namespace {

constexpr auto kAllSizes = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);

}  // namespace

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

void use_gpu(at::Device gpu) { c10::cuda::set_device(gpu.index()); }

void synchronize(at::Device device) {
  if (device.is_cuda()) c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
}

}  // namespace entune
