// swiglu and its backward for GPUs, in float32, one pass each.

#include "trainer/kernels/elements.cuh"
#include "trainer/kernels/kernel_launch.h"

namespace entune::kernel {
namespace {

constexpr int kThreads = 256;

__device__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

template <typename T, int N>
__global__ void forward(Swiglu w) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= w.num_elements) return;
  float gate[N], up[N];
  read(static_cast<const T*>(w.gate) + i, gate);
  read(static_cast<const T*>(w.up) + i, up);
#pragma unroll
  for (int n = 0; n < N; ++n) up[n] *= gate[n] * sigmoid(gate[n]);
  write(static_cast<T*>(w.y) + i, up);
}

// silu'(g) = s (1 + g (1 - s)) with s = sigmoid(g).
template <typename T, int N>
__global__ void backward(SwigluBackward w) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= w.num_elements) return;
  float dy[N], gate[N], up[N];
  read(static_cast<const T*>(w.dy) + i, dy);
  read(static_cast<const T*>(w.gate) + i, gate);
  read(static_cast<const T*>(w.up) + i, up);
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const float s = sigmoid(gate[n]);
    up[n] *= dy[n] * s * (1.0f + gate[n] * (1.0f - s));
    dy[n] *= gate[n] * s;
  }
  write(static_cast<T*>(w.d_gate) + i, up);
  write(static_cast<T*>(w.d_up) + i, dy);
}

unsigned blocks_for(std::int64_t num_elements, int run) {
  const std::int64_t in_block = static_cast<std::int64_t>(kThreads) * run;
  return static_cast<unsigned>((num_elements + in_block - 1) / in_block);
}

template <typename T>
void launch_for(const Swiglu& w, cudaStream_t stream) {
  if (w.num_elements % kRun<T> == 0 && is_aligned(w.gate) && is_aligned(w.up) && is_aligned(w.y)) {
    forward<T, kRun<T>><<<blocks_for(w.num_elements, kRun<T>), kThreads, 0, stream>>>(w);
  } else {
    forward<T, 1><<<blocks_for(w.num_elements, 1), kThreads, 0, stream>>>(w);
  }
}

template <typename T>
void launch_for(const SwigluBackward& w, cudaStream_t stream) {
  if (w.num_elements % kRun<T> == 0 && is_aligned(w.dy) && is_aligned(w.gate) && is_aligned(w.up) &&
      is_aligned(w.d_gate) && is_aligned(w.d_up)) {
    backward<T, kRun<T>><<<blocks_for(w.num_elements, kRun<T>), kThreads, 0, stream>>>(w);
  } else {
    backward<T, 1><<<blocks_for(w.num_elements, 1), kThreads, 0, stream>>>(w);
  }
}

}  // namespace

void launch(const Swiglu& work, CUstream_st* stream) {
  if (work.num_elements == 0) return;
  work.element == Element::float32 ? launch_for<float>(work, stream) : launch_for<__nv_bfloat16>(work, stream);
}

void launch(const SwigluBackward& work, CUstream_st* stream) {
  if (work.num_elements == 0) return;
  work.element == Element::float32 ? launch_for<float>(work, stream) : launch_for<__nv_bfloat16>(work, stream);
}

}  // namespace entune::kernel
