#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/plan/step_time.h"

namespace entune {

/// A GPU as its maker states it, and the shares of that which programs reach.
struct GpuModel {
  std::string name;
  std::int64_t memory_bytes = 0;
  double flops_per_second = 0.0;  ///< bfloat16, dense
  double memory_bytes_per_second = 0.0;
  double nvlink_bytes_per_second = 0.0;   ///< a direction
  double network_bytes_per_second = 0.0;  ///< a GPU's share of its machine's, a direction
  std::string source;
};

/// By the name that --gpu takes.
std::optional<GpuModel> find_gpu_model(std::string_view name);
std::vector<std::string> gpu_model_names();

constexpr int kGpusOfMachine = 8;

/// Of its memory, what tensors can take: the CUDA context, NCCL's buffers and the cache's gaps take the rest.
std::int64_t usable_bytes(std::int64_t memory_bytes);

WorkRates work_rates(const GpuModel& gpu);
/// The axis of a mesh data x tensor with neighbours on one machine: `is_tensor`, or that of the data.
AxisRates axis_rates(const GpuModel& gpu, int data, int tensor, bool is_tensor);

}  // namespace entune
