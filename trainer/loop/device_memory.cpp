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

}  // namespace entune
