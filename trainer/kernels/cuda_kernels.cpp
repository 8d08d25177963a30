#include "trainer/kernels/cuda_kernels.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "trainer/kernels/kernel_launch.h"

namespace entune {
namespace {

kernel::Element element_of(const at::Tensor& x, const char* name) {
  TORCH_CHECK(x.is_cuda() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16), name,
              ": expected float32 or bfloat16 on a GPU, found ", x.scalar_type(), " on ", x.device());
  return x.scalar_type() == at::kFloat ? kernel::Element::float32 : kernel::Element::bfloat16;
}

kernel::HeadRows head_rows(const at::Tensor& x, const char* name) {
  TORCH_CHECK(x.dim() == 3 && (x.stride(2) == 1 || x.size(2) <= 1), name,
              ": expected [T, H, D] with D together, found ", x.sizes(), " with strides ", x.strides());
  return {x.data_ptr(), x.stride(0), x.stride(1)};
}

/// `tensor`, contiguous; of the type of x and, unless it is one row of it, of its shape.
at::Tensor like(const at::Tensor& tensor, const at::Tensor& x, const char* name) {
  TORCH_CHECK(tensor.scalar_type() == x.scalar_type() && tensor.device() == x.device() &&
                  (tensor.sizes() == x.sizes() || tensor.sizes() == x.sizes().slice(x.dim() - 1)),
              name, ": expected ", x.scalar_type(), " ", x.sizes(), " or one row of it on ", x.device(), ", found ",
              tensor.scalar_type(), " ", tensor.sizes(), " on ", tensor.device());
  return tensor.contiguous();
}

/// Queues `work` on the current stream of the GPU where `x` lies.
template <typename Work>
void launch(const Work& work, const at::Tensor& x) {
  const c10::cuda::CUDAGuard guard(x.device());
  kernel::launch(work, c10::cuda::getCurrentCUDAStream(x.device().index()).stream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace

void merge_attention_cuda_(at::Tensor& out, at::Tensor& lse, const at::Tensor& other_out, const at::Tensor& other_lse) {
  constexpr const char* kName = "merge_attention";
  TORCH_CHECK(out.sizes() == other_out.sizes() && lse.sizes() == other_lse.sizes() && lse.dim() == 2 &&
                  lse.sizes() == out.sizes().slice(0, 2) && other_out.scalar_type() == out.scalar_type() &&
                  lse.scalar_type() == at::kFloat && other_lse.scalar_type() == at::kFloat,
              kName, ": expected two [T, H, D] of one type and two float32 [T, H], found ", out.sizes(), " ",
              other_out.sizes(), " ", lse.sizes(), " ", other_lse.sizes());
  launch(kernel::AttentionMerge{.element = element_of(out, kName),
                                .num_rows = out.size(0),
                                .num_heads = out.size(1),
                                .dim = out.size(2),
                                .out = head_rows(out, kName),
                                .other_out = head_rows(other_out, kName),
                                .lse = lse.mutable_data_ptr<float>(),
                                .other_lse = other_lse.const_data_ptr<float>(),
                                .lse_row_stride = lse.stride(0),
                                .lse_head_stride = lse.stride(1),
                                .other_lse_row_stride = other_lse.stride(0),
                                .other_lse_head_stride = other_lse.stride(1)},
         out);
}

NormedRows add_rms_norm_cuda(const at::Tensor& x_in, const at::Tensor& branch_in, const at::Tensor& weight_in,
                             double eps) {
  constexpr const char* kName = "rms_norm";
  const at::Tensor x = x_in.contiguous(), weight = like(weight_in, x, kName);
  const at::Tensor branch = branch_in.defined() ? like(branch_in, x, kName) : at::Tensor();
  std::vector<std::int64_t> per_row = x.sizes().vec();
  per_row.back() = 1;
  const NormedRows result{branch.defined() ? at::empty_like(x) : x, at::empty_like(x),
                          at::empty(per_row, x.options().dtype(at::kFloat))};
  launch(kernel::RmsNorm{.element = element_of(x, kName),
                         .num_rows = result.rstd.numel(),
                         .num_columns = x.size(-1),
                         .x = x.const_data_ptr(),
                         .branch = branch.defined() ? branch.const_data_ptr() : nullptr,
                         .weight = weight.const_data_ptr(),
                         .sum = branch.defined() ? result.sum.mutable_data_ptr() : nullptr,
                         .y = result.y.mutable_data_ptr(),
                         .rstd = result.rstd.mutable_data_ptr<float>(),
                         .eps = static_cast<float>(eps)},
         x);
  return result;
}

at::Tensor rms_norm_backward_cuda(const at::Tensor& dy_in, const at::Tensor& d_sum_in, const at::Tensor& x_in,
                                  const at::Tensor& weight_in, const at::Tensor& rstd) {
  constexpr const char* kName = "rms_norm_backward";
  const at::Tensor x = x_in.contiguous(), dy = like(dy_in, x, kName), weight = like(weight_in, x, kName);
  const at::Tensor d_sum = d_sum_in.defined() ? like(d_sum_in, x, kName) : at::Tensor();
  const at::Tensor dx = at::empty_like(x);
  launch(kernel::RmsNormBackward{.element = element_of(x, kName),
                                 .num_rows = rstd.numel(),
                                 .num_columns = x.size(-1),
                                 .dy = dy.const_data_ptr(),
                                 .d_sum = d_sum.defined() ? d_sum.const_data_ptr() : nullptr,
                                 .x = x.const_data_ptr(),
                                 .weight = weight.const_data_ptr(),
                                 .rstd = rstd.const_data_ptr<float>(),
                                 .dx = dx.mutable_data_ptr()},
         x);
  return dx;
}

at::Tensor swiglu_cuda(const at::Tensor& gate_in, const at::Tensor& up_in) {
  constexpr const char* kName = "swiglu";
  const at::Tensor gate = gate_in.contiguous(), up = like(up_in, gate, kName), y = at::empty_like(gate);
  launch(kernel::Swiglu{.element = element_of(gate, kName),
                        .num_elements = gate.numel(),
                        .gate = gate.const_data_ptr(),
                        .up = up.const_data_ptr(),
                        .y = y.mutable_data_ptr()},
         gate);
  return y;
}

std::pair<at::Tensor, at::Tensor> swiglu_backward_cuda(const at::Tensor& dy_in, const at::Tensor& gate_in,
                                                       const at::Tensor& up_in) {
  constexpr const char* kName = "swiglu_backward";
  const at::Tensor gate = gate_in.contiguous(), dy = like(dy_in, gate, kName), up = like(up_in, gate, kName);
  const at::Tensor d_up = at::empty_like(gate);
  launch(kernel::SwigluBackward{.element = element_of(gate, kName),
                                .num_elements = gate.numel(),
                                .dy = dy.const_data_ptr(),
                                .gate = gate.const_data_ptr(),
                                .up = up.const_data_ptr(),
                                .d_gate = dy.mutable_data_ptr(),  // the caller gives dy away
                                .d_up = d_up.mutable_data_ptr()},
         gate);
  return {dy, d_up};
}

void rotate_cuda_(at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool inverse) {
  constexpr const char* kName = "rotate";
  TORCH_CHECK(cos.is_contiguous() && sin.is_contiguous() && cos.scalar_type() == at::kFloat &&
                  sin.scalar_type() == at::kFloat && cos.sizes() == sin.sizes() && cos.dim() == 2 &&
                  cos.size(0) == x.size(0) && 2 * cos.size(1) == x.size(2),
              kName, ": expected contiguous float32 tables [", x.size(0), ", ", x.size(2), " / 2], found ", cos.sizes(),
              " ", sin.sizes());
  launch(kernel::Rotary{.element = element_of(x, kName),
                        .num_rows = x.size(0),
                        .num_heads = x.size(1),
                        .dim = x.size(2),
                        .x = head_rows(x, kName),
                        .cos = cos.const_data_ptr<float>(),
                        .sin = sin.const_data_ptr<float>(),
                        .inverse = inverse},
         x);
}

}  // namespace entune
