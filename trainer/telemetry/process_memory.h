#pragma once

#include <cstdint>

namespace entune {

/// The most resident memory this process has had since its start or the last reset, in bytes (VmHWM of
/// /proc/self/status); 0 if unknown.
std::int64_t peak_memory_bytes();
/// The resident memory that it has now (VmRSS); 0 if unknown.
std::int64_t resident_memory_bytes();
/// Starts the peak anew. Does nothing where the kernel does not allow it.
void reset_peak_memory();

}  // namespace entune
