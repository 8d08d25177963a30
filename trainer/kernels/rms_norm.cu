// rms_norm and add_rms_norm for GPUs, forward and backward: a block for each row, which it reads once from memory and a
// second time from the cache. All sums are float32.

#include "trainer/kernels/elements.cuh"
#include "trainer/kernels/kernel_launch.h"

namespace entune::kernel {
namespace {

constexpr int kWarp = 32;
constexpr int kMostThreads = 512;

/// The sum over the block's threads, for each of them. blockDim.x is a multiple of a warp.
__device__ float sum_over_block(float value) {
  __shared__ float of_warps[kMostThreads / kWarp];
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  if (lane == 0) of_warps[warp] = value;
  __syncthreads();
  const int num_warps = static_cast<int>(blockDim.x) / kWarp;
  float sum = 0.0f;
  for (int i = 0; i < num_warps; ++i) sum += of_warps[i];
  return sum;
}

template <typename T, int N>
__global__ void norm(RmsNorm w) {
  const std::int64_t row = blockIdx.x, begin = row * w.num_columns;
  const std::int64_t first = static_cast<std::int64_t>(threadIdx.x) * N,
                     step = static_cast<std::int64_t>(blockDim.x) * N;
  const T* const x = static_cast<const T*>(w.x) + begin;
  const T* const branch = w.branch == nullptr ? nullptr : static_cast<const T*>(w.branch) + begin;
  T* const sum = static_cast<T*>(w.sum) + begin;
  float squares = 0.0f;
  for (std::int64_t c = first; c < w.num_columns; c += step) {
    float a[N];
    read(x + c, a);
    if (branch != nullptr) {
      float b[N];
      read(branch + c, b);
#pragma unroll
      for (int i = 0; i < N; ++i) a[i] += b[i];
      write(sum + c, a);
      read(sum + c, a);  // what the next layers see, rounded, is what is normalized
    }
#pragma unroll
    for (int i = 0; i < N; ++i) squares += a[i] * a[i];
  }
  const float rstd = rsqrtf(sum_over_block(squares) / static_cast<float>(w.num_columns) + w.eps);
  if (threadIdx.x == 0) w.rstd[row] = rstd;

  const T* const normed = branch == nullptr ? x : sum;
  const T* const weight = static_cast<const T*>(w.weight);
  T* const y = static_cast<T*>(w.y) + begin;
  for (std::int64_t c = first; c < w.num_columns; c += step) {
    float a[N], g[N];
    read(normed + c, a);
    read(weight + c, g);
#pragma unroll
    for (int i = 0; i < N; ++i) a[i] *= rstd * g[i];
    write(y + c, a);
  }
}

template <typename T, int N>
__global__ void norm_backward(RmsNormBackward w) {
  const std::int64_t row = blockIdx.x, begin = row * w.num_columns;
  const std::int64_t first = static_cast<std::int64_t>(threadIdx.x) * N,
                     step = static_cast<std::int64_t>(blockDim.x) * N;
  const T* const dy = static_cast<const T*>(w.dy) + begin;
  const T* const x = static_cast<const T*>(w.x) + begin;
  const T* const weight = static_cast<const T*>(w.weight);
  float products = 0.0f;
  for (std::int64_t c = first; c < w.num_columns; c += step) {
    float d[N], a[N], g[N];
    read(dy + c, d);
    read(x + c, a);
    read(weight + c, g);
#pragma unroll
    for (int i = 0; i < N; ++i) products += d[i] * g[i] * a[i];
  }
  const float rstd = w.rstd[row];
  const float coefficient = -rstd * rstd * rstd * sum_over_block(products) / static_cast<float>(w.num_columns);

  const T* const d_sum = w.d_sum == nullptr ? nullptr : static_cast<const T*>(w.d_sum) + begin;
  T* const dx = static_cast<T*>(w.dx) + begin;
  for (std::int64_t c = first; c < w.num_columns; c += step) {
    float d[N], a[N], g[N];
    read(dy + c, d);
    read(x + c, a);
    read(weight + c, g);
#pragma unroll
    for (int i = 0; i < N; ++i) d[i] = d[i] * g[i] * rstd + a[i] * coefficient;
    if (d_sum != nullptr) {
      float s[N];
      read(d_sum + c, s);
#pragma unroll
      for (int i = 0; i < N; ++i) d[i] += s[i];
    }
    write(dx + c, d);
  }
}

int threads_for(std::int64_t num_columns, int run) {
  const std::int64_t runs = (num_columns + run - 1) / run, warps = (runs + kWarp - 1) / kWarp;
  return static_cast<int>(warps * kWarp < kMostThreads ? warps * kWarp : kMostThreads);
}

template <typename T>
void launch_for(const RmsNorm& w, cudaStream_t stream) {
  const bool in_runs = w.num_columns % kRun<T> == 0 && is_aligned(w.x) && is_aligned(w.branch) &&
                       is_aligned(w.weight) && is_aligned(w.sum) && is_aligned(w.y);
  const auto blocks = static_cast<unsigned>(w.num_rows);
  if (in_runs) {
    norm<T, kRun<T>><<<blocks, threads_for(w.num_columns, kRun<T>), 0, stream>>>(w);
  } else {
    norm<T, 1><<<blocks, threads_for(w.num_columns, 1), 0, stream>>>(w);
  }
}

template <typename T>
void launch_for(const RmsNormBackward& w, cudaStream_t stream) {
  const bool in_runs = w.num_columns % kRun<T> == 0 && is_aligned(w.dy) && is_aligned(w.d_sum) && is_aligned(w.x) &&
                       is_aligned(w.weight) && is_aligned(w.dx);
  const auto blocks = static_cast<unsigned>(w.num_rows);
  if (in_runs) {
    norm_backward<T, kRun<T>><<<blocks, threads_for(w.num_columns, kRun<T>), 0, stream>>>(w);
  } else {
    norm_backward<T, 1><<<blocks, threads_for(w.num_columns, 1), 0, stream>>>(w);
  }
}

}  // namespace

void launch(const RmsNorm& work, CUstream_st* stream) {
  if (work.num_rows == 0) return;
  work.element == Element::float32 ? launch_for<float>(work, stream) : launch_for<__nv_bfloat16>(work, stream);
}

void launch(const RmsNormBackward& work, CUstream_st* stream) {
  if (work.num_rows == 0) return;
  work.element == Element::float32 ? launch_for<float>(work, stream) : launch_for<__nv_bfloat16>(work, stream);
}

}  // namespace entune::kernel
