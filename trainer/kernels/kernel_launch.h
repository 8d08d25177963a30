#pragma once

#include <cstdint>

struct CUstream_st;  // what a cudaStream_t points to: this header needs no toolkit

namespace entune::kernel {

// What cuda_kernels.cpp hands to the *.cu: plain pointers to a GPU's memory and strides in elements. Both sides of this
// border compile alone: nvcc sees no header of libtorch, GCC no device code. Launches are queued; what goes wrong in a
// launch is left for cudaGetLastError.

enum class Element { float32, bfloat16 };

/// Rows [num_rows, num_heads, dim] of which the dimensions lie together.
struct HeadRows {
  void* data;
  std::int64_t row_stride, head_stride;
};

struct AttentionMerge {
  Element element;
  std::int64_t num_rows, num_heads, dim;
  HeadRows out, other_out;
  float* lse;  ///< [num_rows, num_heads]
  const float* other_lse;
  std::int64_t lse_row_stride, lse_head_stride, other_lse_row_stride, other_lse_head_stride;
};
void launch(const AttentionMerge& work, CUstream_st* stream);

/// Contiguous rows [num_rows, num_columns].
struct RmsNorm {
  Element element;  ///< of all but rstd
  std::int64_t num_rows, num_columns;
  const void* x;
  const void* branch;  ///< null: nothing is added
  const void* weight;  ///< [num_columns]
  void* sum;           ///< x + branch; not written without a branch
  void* y;
  float* rstd;  ///< [num_rows]
  float eps;
};
void launch(const RmsNorm& work, CUstream_st* stream);

struct RmsNormBackward {
  Element element;
  std::int64_t num_rows, num_columns;
  const void* dy;
  const void* d_sum;  ///< gradient of the sum by its other use; null: none
  const void* x;      ///< what was normalized
  const void* weight;
  const float* rstd;
  void* dx;
};
void launch(const RmsNormBackward& work, CUstream_st* stream);

struct Swiglu {
  Element element;
  std::int64_t num_elements;
  const void* gate;
  const void* up;
  void* y;
};
void launch(const Swiglu& work, CUstream_st* stream);

struct SwigluBackward {
  Element element;
  std::int64_t num_elements;
  const void* dy;
  const void* gate;
  const void* up;
  void* d_gate;  ///< may be dy
  void* d_up;
};
void launch(const SwigluBackward& work, CUstream_st* stream);

struct Rotary {
  Element element;
  std::int64_t num_rows, num_heads, dim;
  HeadRows x;  ///< in place
  const float* cos;
  const float* sin;  ///< [num_rows, dim / 2] both
  bool inverse;
};
void launch(const Rotary& work, CUstream_st* stream);

/// With the corrections of the moments, c1 = 1 - beta1^n and c2 = 1 - beta2^n, folded in.
struct AdamW {
  Element gradient_element;
  std::int64_t num_elements;
  float* master;
  float* first_moment;
  float* second_moment;
  const void* gradient;
  void* value;  ///< bfloat16; null: none
  float gradient_scale;
  float first_share;              ///< 1 - beta1
  float beta2, second_share;      ///< 1 - beta2
  float inverse_root_correction;  ///< 1 / sqrt(c2)
  float eps;
  float decay;      ///< 1 - lr * weight_decay
  float step_size;  ///< lr / c1
};
void launch(const AdamW& work, CUstream_st* stream);

/// Contiguous logits [num_rows, num_columns] of the ids from first_id on.
struct LogitRows {
  Element element;
  std::int64_t num_rows, num_columns;
  const void* logits;
  const std::int64_t* targets;  ///< [num_rows] ids
  std::int64_t first_id;
  float* lse;           ///< [num_rows]
  float* target_logit;  ///< [num_rows]; 0 where the target is none of the columns
};
void launch(const LogitRows& work, CUstream_st* stream);

struct LogitGradients {
  Element element;
  std::int64_t num_rows, num_columns;
  void* logits;  ///< become their gradients
  const std::int64_t* targets;
  std::int64_t first_id;
  const float* lse;      ///< [num_rows], over all ids
  const float* weights;  ///< [num_rows]
};
void launch(const LogitGradients& work, CUstream_st* stream);

}  // namespace entune::kernel
