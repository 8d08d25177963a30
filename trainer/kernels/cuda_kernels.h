#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

namespace entune {

struct AdamWStep;
struct AdamWTensors;

// The kernels of our own for GPUs (*.cu), on tensors of one GPU, queued on the current stream. float32 and bfloat16;
// TORCH_CHECK where a tensor is of another type, and in a build without CUDA. Each computes what the function of the
// same name in the header named here does on CPUs, where the tests hold the two against each other.

/// Whether these kernels take tensors like x.
inline bool has_cuda_kernels(const at::Tensor& x) {
  return x.is_cuda() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

/// attention_merge.h
void merge_attention_cuda_(at::Tensor& out, at::Tensor& lse, const at::Tensor& other_out, const at::Tensor& other_lse);

/// rms_norm.h
struct NormedRows {
  at::Tensor sum;   ///< x + branch; x itself without a branch
  at::Tensor y;     ///< the norm of sum
  at::Tensor rstd;  ///< [..., 1] float32
};
NormedRows add_rms_norm_cuda(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& weight, double eps);
/// Gradient of what was normalized, with d_sum added if defined. The weight's is left to the caller.
at::Tensor rms_norm_backward_cuda(const at::Tensor& dy, const at::Tensor& d_sum, const at::Tensor& x,
                                  const at::Tensor& weight, const at::Tensor& rstd);

/// swiglu.h
at::Tensor swiglu_cuda(const at::Tensor& gate, const at::Tensor& up);
std::pair<at::Tensor, at::Tensor> swiglu_backward_cuda(const at::Tensor& dy, const at::Tensor& gate,
                                                       const at::Tensor& up);

/// rotary.h
void rotate_cuda_(at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool inverse);

/// adamw_update.h
void adamw_update_cuda(const AdamWTensors& tensors, const AdamWStep& step);

/// cross_entropy.h; {lse, target_logit}, and the gradients in the place of the logits.
std::pair<at::Tensor, at::Tensor> read_logits_cuda(const at::Tensor& logits, const at::Tensor& targets,
                                                   std::int64_t first_id);
void logit_gradients_cuda_(const at::Tensor& logits, const at::Tensor& targets, std::int64_t first_id,
                           const at::Tensor& lse, const at::Tensor& weights);

}  // namespace entune
