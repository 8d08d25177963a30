#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace entune {

/// The most memory held at once since the start or the last reset, in bytes: on a CPU, the process's resident memory
/// (VmHWM of /proc/self/status; 0 if unknown); on a GPU, what tensors on it have held.
std::int64_t peak_memory_bytes(c10::Device device = c10::kCPU);
/// Starts the peak anew. Does nothing where the kernel does not allow it.
void reset_peak_memory(c10::Device device = c10::kCPU);

}  // namespace entune
