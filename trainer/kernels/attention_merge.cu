// merge_attention_ for GPUs: one pass over both outputs, in float32. A row of one head is dealt to as many neighbouring
// threads as it has runs of 16 bytes.

#include "trainer/kernels/elements.cuh"
#include "trainer/kernels/kernel_launch.h"

namespace entune::kernel {
namespace {

constexpr int kThreads = 256;

template <typename T, int N>
__global__ void merge(AttentionMerge w, int threads_per_row, int rows_per_block) {
  const int row_in_block = static_cast<int>(threadIdx.x) / threads_per_row;
  const int column = (static_cast<int>(threadIdx.x) % threads_per_row) * N;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * rows_per_block + row_in_block;
  const bool works = row_in_block < rows_per_block && index < w.num_rows * w.num_heads;
  const std::int64_t row = index / w.num_heads, head = index % w.num_heads;
  float* const lse = w.lse + row * w.lse_row_stride + head * w.lse_head_stride;
  float own = 0.0f, other = 0.0f;
  if (works) {
    own = *lse;
    other = w.other_lse[row * w.other_lse_row_stride + head * w.other_lse_head_stride];
  }
  __syncthreads();  // the row's first thread overwrites what all of them read
  if (!works) return;
  const float share = 1.0f / (1.0f + expf(own - other));
  T* const out = static_cast<T*>(w.out.data) + row * w.out.row_stride + head * w.out.head_stride;
  const T* const added =
      static_cast<const T*>(w.other_out.data) + row * w.other_out.row_stride + head * w.other_out.head_stride;
  for (std::int64_t d = column; d < w.dim; d += static_cast<std::int64_t>(threads_per_row) * N) {
    float a[N], b[N];
    read(out + d, a);
    read(added + d, b);
#pragma unroll
    for (int i = 0; i < N; ++i) a[i] += share * (b[i] - a[i]);
    write(out + d, a);
  }
  if (column == 0) *lse = fmaxf(own, other) + log1pf(expf(-fabsf(own - other)));
}

template <typename T, int N>
void launch_as(const AttentionMerge& w, cudaStream_t stream) {
  const std::int64_t runs = (w.dim + N - 1) / N;
  const int threads_per_row = static_cast<int>(runs < kThreads ? runs : kThreads);
  const int rows_per_block = kThreads / threads_per_row;
  const std::int64_t blocks = (w.num_rows * w.num_heads + rows_per_block - 1) / rows_per_block;
  merge<T, N><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(w, threads_per_row, rows_per_block);
}

template <typename T>
void launch_for(const AttentionMerge& w, cudaStream_t stream) {
  bool in_runs = w.dim % kRun<T> == 0;
  for (const HeadRows& rows : {w.out, w.other_out}) {
    in_runs = in_runs && is_aligned(rows.data) && rows.row_stride % kRun<T> == 0 && rows.head_stride % kRun<T> == 0;
  }
  in_runs ? launch_as<T, kRun<T>>(w, stream) : launch_as<T, 1>(w, stream);
}

}  // namespace

void launch(const AttentionMerge& work, CUstream_st* stream) {
  if (work.num_rows * work.num_heads == 0) return;
  work.element == Element::float32 ? launch_for<float>(work, stream) : launch_for<__nv_bfloat16>(work, stream);
}

}  // namespace entune::kernel
