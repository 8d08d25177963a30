#include <c10/util/Exception.h>

#include "trainer/kernels/cuda_kernels.h"

namespace entune {
namespace {

[[noreturn]] void refuse(const char* kernel) {
  TORCH_CHECK(false, kernel, ": this build has no CUDA in it; configure it with ENTUNE_CUDA=on");
}

}  // namespace

void merge_attention_cuda_(at::Tensor&, at::Tensor&, const at::Tensor&, const at::Tensor&) {
  refuse("merge_attention");
}

NormedRows add_rms_norm_cuda(const at::Tensor&, const at::Tensor&, const at::Tensor&, double) { refuse("rms_norm"); }
at::Tensor rms_norm_backward_cuda(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                  const at::Tensor&) {
  refuse("rms_norm_backward");
}
at::Tensor swiglu_cuda(const at::Tensor&, const at::Tensor&) { refuse("swiglu"); }
std::pair<at::Tensor, at::Tensor> swiglu_backward_cuda(const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  refuse("swiglu_backward");
}
void rotate_cuda_(at::Tensor&, const at::Tensor&, const at::Tensor&, bool) { refuse("rotate"); }
void adamw_update_cuda(const AdamWTensors&, const AdamWStep&) { refuse("adamw_update"); }
std::pair<at::Tensor, at::Tensor> read_logits_cuda(const at::Tensor&, const at::Tensor&, std::int64_t) {
  refuse("read_logits");
}
void logit_gradients_cuda_(const at::Tensor&, const at::Tensor&, std::int64_t, const at::Tensor&, const at::Tensor&) {
  refuse("logit_gradients");
}

}  // namespace entune
