#include "trainer/plan/gpu_models.h"

#include <algorithm>
#include <cmath>

namespace entune {
namespace {

// Shares of the stated numbers, all from notes/performance.md: a product of two 8192^2 matrices reaches 788 of an
// H200's 989 TFLOP/s and a copy 4.3 of its 4.8 TB/s; flash attention (FA2, heads of 128) 350 TFLOP/s forward and 270
// backward. Of the products of a whole step published runs get less: NeMo Automodel's LoRA of 8B on an H100 402 TFLOP/s
// at 4N with all else in it; products of a step's shapes are taken at 0.7. An all-reduce of large tensors reaches 360
// of NVLink's 450 GB/s by rings, 46 of a 400 Gb/s adapter's 50.
constexpr double kProductShare = 0.70;
constexpr double kMemoryShare = 0.90;
constexpr double kAttentionShare = 0.35, kAttentionBackwardShare = 0.27;
constexpr double kNvlinkShare = 0.80, kNetworkShare = 0.92;
// NCCL's own constants (src/graph/tuning.cc): base of a tree with the simple protocol, and a hop.
constexpr double kBaseSeconds = 8.4e-6, kNvlinkHopSeconds = 4.0e-6, kNetworkHopSeconds = 14.0e-6;
// Dispatch, autograd and launch of one operator by one CPU core: a few microseconds; not measured here.
constexpr double kQueueSeconds = 6e-6;

const std::vector<GpuModel>& models() {
  static const std::vector<GpuModel> all = {
      {"a100-80", 80'000'000'000, 312e12, 2.039e12, 300e9, 25e9,
       "NVIDIA A100 80GB SXM data sheet; DGX A100: 200 Gb/s a GPU"},
      {"h100", 80'000'000'000, 989e12, 3.35e12, 450e9, 50e9, "NVIDIA H100 SXM data sheet; DGX H100: 400 Gb/s a GPU"},
      {"h200", 141'000'000'000, 989e12, 4.8e12, 450e9, 50e9, "NVIDIA H200 SXM data sheet; DGX H200: 400 Gb/s a GPU"},
      {"b200", 180'000'000'000, 2250e12, 8.0e12, 900e9, 50e9,
       "NVIDIA DGX B200 data sheet (an eighth of 1,440 GB, 64 TB/s, 72 PFLOP/s of sparse FP8); 400 Gb/s a GPU"},
  };
  return all;
}

}  // namespace

std::optional<GpuModel> find_gpu_model(std::string_view name) {
  const auto found = std::ranges::find(models(), name, &GpuModel::name);
  return found == models().end() ? std::nullopt : std::optional(*found);
}

std::vector<std::string> gpu_model_names() {
  std::vector<std::string> names;
  for (const GpuModel& model : models()) names.push_back(model.name);
  return names;
}

std::int64_t usable_bytes(std::int64_t memory_bytes) {
  constexpr std::int64_t kContext = std::int64_t{3} << 29;  // 1.5 GiB
  return static_cast<std::int64_t>(0.96 * static_cast<double>(memory_bytes)) - kContext;
}

WorkRates work_rates(const GpuModel& gpu) {
  WorkRates rates;
  rates.flops_per_second = kProductShare * gpu.flops_per_second;
  rates.attention_flops_per_second = kAttentionShare * gpu.flops_per_second;
  rates.attention_backward_flops_per_second = kAttentionBackwardShare * gpu.flops_per_second;
  rates.new_bytes_per_second = {{0, kMemoryShare * gpu.memory_bytes_per_second}};
  rates.in_place_bytes_per_second = rates.new_bytes_per_second;
  rates.seconds_per_operator = kQueueSeconds;
  return rates;
}

AxisRates axis_rates(const GpuModel& gpu, int data, int tensor, bool is_tensor) {
  const int size = is_tensor ? tensor : data;
  AxisRates axis{.size = size,
                 .latency_seconds = kBaseSeconds + 2.0 * std::log2(size) * kNvlinkHopSeconds,
                 .bytes_per_second = kNvlinkShare * gpu.nvlink_bytes_per_second};
  const bool on_one_machine = (is_tensor ? tensor : data * tensor) <= kGpusOfMachine;
  if (on_one_machine) return axis;
  // A machine's adapters are shared by the groups that leave it: each has those of its own GPUs there.
  const int on_machine = std::max(1, is_tensor ? kGpusOfMachine : kGpusOfMachine / tensor);
  const double machines = std::ceil(static_cast<double>(data * tensor) / kGpusOfMachine);
  axis.latency_seconds += 2.0 * std::log2(machines) * kNetworkHopSeconds;
  axis.bytes_per_second = std::min(axis.bytes_per_second, on_machine * kNetworkShare * gpu.network_bytes_per_second);
  return axis;
}

}  // namespace entune
