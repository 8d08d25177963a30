// adamw_update for GPUs: one pass that reads and writes master and moments once. All in float32.

#include "trainer/kernels/elements.cuh"
#include "trainer/kernels/kernel_launch.h"

namespace entune::kernel {
namespace {

constexpr int kThreads = 256;
constexpr int kFloats = kRun<float>;

template <typename T, int N>
__global__ void update(AdamW w) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= w.num_elements) return;
  float gradient[N], master[N], first[N], second[N];
  read(static_cast<const T*>(w.gradient) + i, gradient);
  read(w.master + i, master);
  read(w.first_moment + i, first);
  read(w.second_moment + i, second);
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const float g = gradient[n] * w.gradient_scale;
    first[n] += w.first_share * (g - first[n]);
    second[n] = w.beta2 * second[n] + w.second_share * g * g;
    const float root = sqrtf(second[n]) * w.inverse_root_correction + w.eps;
    master[n] = master[n] * w.decay - w.step_size * first[n] / root;
  }
  write(w.master + i, master);
  write(w.first_moment + i, first);
  write(w.second_moment + i, second);
  if (w.value != nullptr) write(static_cast<__nv_bfloat16*>(w.value) + i, master);
}

template <typename T>
void launch_for(const AdamW& w, cudaStream_t stream) {
  bool in_runs = w.num_elements % kFloats == 0;
  for (const void* pointer : {static_cast<const void*>(w.master), static_cast<const void*>(w.first_moment),
                              static_cast<const void*>(w.second_moment), w.gradient, const_cast<const void*>(w.value)}) {
    in_runs = in_runs && is_aligned(pointer);
  }
  const std::int64_t in_block = static_cast<std::int64_t>(kThreads) * (in_runs ? kFloats : 1);
  const auto blocks = static_cast<unsigned>((w.num_elements + in_block - 1) / in_block);
  if (in_runs) {
    update<T, kFloats><<<blocks, kThreads, 0, stream>>>(w);
  } else {
    update<T, 1><<<blocks, kThreads, 0, stream>>>(w);
  }
}

}  // namespace

void launch(const AdamW& work, CUstream_st* stream) {
  if (work.num_elements == 0) return;
  work.gradient_element == Element::float32 ? launch_for<float>(work, stream)
                                            : launch_for<__nv_bfloat16>(work, stream);
}

}  // namespace entune::kernel
