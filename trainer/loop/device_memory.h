#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace entune {

/// The most memory held at once since the last reset, in bytes: on a CPU the process's resident memory
/// (process_memory.h), on a GPU what tensors on it have held.
std::int64_t peak_memory_bytes(c10::Device device);
/// Starts the peak anew.
void reset_peak_memory(c10::Device device);

}  // namespace entune
