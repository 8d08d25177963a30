// read_logits and logit_gradients for GPUs: a block for each row, which it reads once, and a second time to write the
// gradient over it. All in float32.

#include <cfloat>

#include "trainer/kernels/elements.cuh"
#include "trainer/kernels/kernel_launch.h"

namespace entune::kernel {
namespace {

constexpr int kWarp = 32;
constexpr int kThreads = 512;

/// The sum of exponentials of some logits, e^largest * sum: those of no logits at all are {-FLT_MAX, 0}.
struct Exponentials {
  float largest, sum;
};

__device__ Exponentials joined(Exponentials a, Exponentials b) {
  const float largest = fmaxf(a.largest, b.largest);
  return {largest, a.sum * expf(a.largest - largest) + b.sum * expf(b.largest - largest)};
}

__device__ Exponentials joined_over_warp(Exponentials own) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    own = joined(own, {__shfl_xor_sync(0xffffffffu, own.largest, offset), __shfl_xor_sync(0xffffffffu, own.sum, offset)});
  }
  return own;
}

template <typename T, int N>
__global__ void read_rows(LogitRows w) {
  const std::int64_t row = blockIdx.x;
  const T* const logits = static_cast<const T*>(w.logits) + row * w.num_columns;
  Exponentials own{-FLT_MAX, 0.0f};
  for (std::int64_t c = static_cast<std::int64_t>(threadIdx.x) * N; c < w.num_columns; c += kThreads * N) {
    float x[N];
    read(logits + c, x);
    float largest = own.largest;
#pragma unroll
    for (int n = 0; n < N; ++n) largest = fmaxf(largest, x[n]);
    own.sum *= expf(own.largest - largest);
#pragma unroll
    for (int n = 0; n < N; ++n) own.sum += expf(x[n] - largest);
    own.largest = largest;
  }
  __shared__ Exponentials of_warps[kThreads / kWarp];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  own = joined_over_warp(own);
  if (lane == 0) of_warps[warp] = own;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int i = 1; i < kThreads / kWarp; ++i) own = joined(own, of_warps[i]);
  w.lse[row] = own.largest + logf(own.sum);
  const std::int64_t target = w.targets[row] - w.first_id;
  w.target_logit[row] = target >= 0 && target < w.num_columns ? to_float(logits[target]) : 0.0f;
}

template <typename T, int N>
__global__ void write_gradients(LogitGradients w) {
  const std::int64_t row = blockIdx.x, target = w.targets[row] - w.first_id;
  T* const logits = static_cast<T*>(w.logits) + row * w.num_columns;
  const float lse = w.lse[row], weight = w.weights[row];
  for (std::int64_t c = static_cast<std::int64_t>(threadIdx.x) * N; c < w.num_columns; c += kThreads * N) {
    float x[N];
    read(logits + c, x);
#pragma unroll
    for (int n = 0; n < N; ++n) x[n] = (expf(x[n] - lse) - (c + n == target ? 1.0f : 0.0f)) * weight;
    write(logits + c, x);
  }
}

template <typename T>
bool in_runs(const void* logits, std::int64_t num_columns) {
  return num_columns % kRun<T> == 0 && is_aligned(logits);
}

template <typename T>
void launch_for(const LogitRows& w, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(w.num_rows);
  if (in_runs<T>(w.logits, w.num_columns)) {
    read_rows<T, kRun<T>><<<blocks, kThreads, 0, stream>>>(w);
  } else {
    read_rows<T, 1><<<blocks, kThreads, 0, stream>>>(w);
  }
}

template <typename T>
void launch_for(const LogitGradients& w, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(w.num_rows);
  if (in_runs<T>(w.logits, w.num_columns)) {
    write_gradients<T, kRun<T>><<<blocks, kThreads, 0, stream>>>(w);
  } else {
    write_gradients<T, 1><<<blocks, kThreads, 0, stream>>>(w);
  }
}

}  // namespace

void launch(const LogitRows& work, CUstream_st* stream) {
  if (work.num_rows == 0) return;
  work.element == Element::float32 ? launch_for<float>(work, stream) : launch_for<__nv_bfloat16>(work, stream);
}

void launch(const LogitGradients& work, CUstream_st* stream) {
  if (work.num_rows == 0) return;
  work.element == Element::float32 ? launch_for<float>(work, stream) : launch_for<__nv_bfloat16>(work, stream);
}

}  // namespace entune::kernel
