#include "trainer/loop/device_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

#include "trainer/telemetry/process_memory.h"

namespace entune {

std::int64_t peak_memory_bytes(c10::Device device) {
  if (device.is_cpu()) return peak_memory_bytes();
  return c10::getDeviceAllocator(device.type())->getDeviceStats(device.index()).allocated_bytes.front().peak;
}

void reset_peak_memory(c10::Device device) {
  if (device.is_cpu()) return reset_peak_memory();
  c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

GpuMemory gpu_memory(c10::Device gpu) {
  const c10::CachingDeviceAllocator::DeviceStats stats =
      c10::getDeviceAllocator(gpu.type())->getDeviceStats(gpu.index());
  const c10::CachingAllocator::Stat &allocated = stats.allocated_bytes.front(),
                                    &reserved = stats.reserved_bytes.front();
  return {.allocated = allocated.current,
          .allocated_peak = allocated.peak,
          .reserved = reserved.current,
          .reserved_peak = reserved.peak,
          .num_retries = stats.num_alloc_retries,
          .num_failures = stats.num_ooms};
}

std::int64_t gpu_capacity_bytes(c10::Device gpu) {
  return static_cast<std::int64_t>(c10::getDeviceAllocator(gpu.type())->getMemoryInfo(gpu.index()).second);
}

}  // namespace entune
