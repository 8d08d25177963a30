// rotate_ for GPUs: in place, in float32. A thread turns a run of one head's dimensions with the run half a head
// further.

#include "trainer/kernels/elements.cuh"
#include "trainer/kernels/kernel_launch.h"

namespace entune::kernel {
namespace {

constexpr int kThreads = 256;

template <typename T, int N>
__global__ void rotate(Rotary w) {
  const std::int64_t half = w.dim / 2, runs = half / N;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= w.num_rows * w.num_heads * runs) return;
  const std::int64_t d = index % runs * N, head = index / runs % w.num_heads, row = index / runs / w.num_heads;
  T* const x = static_cast<T*>(w.x.data) + row * w.x.row_stride + head * w.x.head_stride + d;
  float first[N], second[N];
  read(x, first);
  read(x + half, second);
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const float cosine = w.cos[row * half + d + n];
    const float sine = w.inverse ? -w.sin[row * half + d + n] : w.sin[row * half + d + n];
    const float turned = first[n] * cosine - second[n] * sine;
    second[n] = second[n] * cosine + first[n] * sine;
    first[n] = turned;
  }
  write(x, first);
  write(x + half, second);
}

template <typename T, int N>
void launch_as(const Rotary& w, cudaStream_t stream) {
  const std::int64_t threads = w.num_rows * w.num_heads * (w.dim / 2 / N);
  rotate<T, N><<<static_cast<unsigned>((threads + kThreads - 1) / kThreads), kThreads, 0, stream>>>(w);
}

template <typename T>
void launch_for(const Rotary& w, cudaStream_t stream) {
  const bool in_runs = w.dim / 2 % kRun<T> == 0 && is_aligned(w.x.data) && w.x.row_stride % kRun<T> == 0 &&
                       w.x.head_stride % kRun<T> == 0;
  in_runs ? launch_as<T, kRun<T>>(w, stream) : launch_as<T, 1>(w, stream);
}

}  // namespace

void launch(const Rotary& work, CUstream_st* stream) {
  if (work.num_rows * work.num_heads * work.dim == 0) return;
  work.element == Element::float32 ? launch_for<float>(work, stream) : launch_for<__nv_bfloat16>(work, stream);
}

}  // namespace entune::kernel
