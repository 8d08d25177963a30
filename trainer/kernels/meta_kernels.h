#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "trainer/kernels/cuda_kernels.h"

namespace entune {

// Meta tensors have shapes and no memory: a pass over them tells what a step would take, without its machine
// (trainer/plan). They stand for tensors of a CPU, or of a GPU, whose kernels of our own are then stood in for by these:
// they take the memory that those take, and read and write about as many bytes.

/// Meta tensors of this thread stand for a GPU's while it lives.
class MetaStandsForGpu {
 public:
  MetaStandsForGpu();
  ~MetaStandsForGpu();
  MetaStandsForGpu(const MetaStandsForGpu&) = delete;
  MetaStandsForGpu& operator=(const MetaStandsForGpu&) = delete;
};

bool stands_for_gpu(const at::Tensor& x);
inline bool stands_for_cpu(const at::Tensor& x) { return x.is_meta() && !stands_for_gpu(x); }

NormedRows add_rms_norm_meta(const at::Tensor& x, const at::Tensor& branch);
at::Tensor rms_norm_backward_meta(const at::Tensor& dy, const at::Tensor& x);
at::Tensor swiglu_meta(const at::Tensor& gate, const at::Tensor& up);
std::pair<at::Tensor, at::Tensor> swiglu_backward_meta(const at::Tensor& dy, const at::Tensor& gate);
std::pair<at::Tensor, at::Tensor> read_logits_meta(const at::Tensor& logits);
/// Of a kernel that changes x in place.
void touch_meta_(const at::Tensor& x);

}  // namespace entune
