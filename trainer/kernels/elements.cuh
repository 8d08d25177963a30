#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace entune::kernel {

// Reading and writing runs of N elements at once, as float32. With N = 16 bytes' worth the address must be aligned
// to 16.

template <typename T, int N>
struct alignas(sizeof(T) * N) Run {
  T values[N];
};

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline void from_float(float& to, float x) { to = x; }
__device__ inline void from_float(__nv_bfloat16& to, float x) { to = __float2bfloat16_rn(x); }

template <int N, typename T>
__device__ void read(const T* from, float (&values)[N]) {
  const Run<T, N> run = *reinterpret_cast<const Run<T, N>*>(from);
#pragma unroll
  for (int i = 0; i < N; ++i) values[i] = to_float(run.values[i]);
}

template <int N, typename T>
__device__ void write(T* to, const float (&values)[N]) {
  Run<T, N> run;
#pragma unroll
  for (int i = 0; i < N; ++i) from_float(run.values[i], values[i]);
  *reinterpret_cast<Run<T, N>*>(to) = run;
}

/// How many elements of T make 16 bytes.
template <typename T>
constexpr int kRun = 16 / static_cast<int>(sizeof(T));

inline bool is_aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; }

}  // namespace entune::kernel
