#include "trainer/kernels/cuda_kernels.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cmath>

#include "trainer/kernels/adamw_update.h"
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

/// The data of a contiguous [num_rows] or [num_elements] of this type on the GPU of x.
template <typename T>
T* numbers(const at::Tensor& tensor, std::int64_t count, const at::Tensor& x, const char* name) {
  TORCH_CHECK(tensor.is_contiguous() && tensor.numel() == count && tensor.device() == x.device(), name, ": expected ",
              count, " contiguous numbers on ", x.device(), ", found ", tensor.sizes(), " on ", tensor.device());
  return tensor.mutable_data_ptr<T>();
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

void adamw_update_cuda(const AdamWTensors& t, const AdamWStep& step) {
  constexpr const char* kName = "adamw_update";
  const std::int64_t count = t.master.numel();
  const kernel::Element element = element_of(t.gradient, kName);
  const bool wide = element == kernel::Element::float32;
  const double first_correction = 1.0 - std::pow(step.beta1, static_cast<double>(step.number)),
               second_correction = 1.0 - std::pow(step.beta2, static_cast<double>(step.number));
  launch(kernel::AdamW{.gradient_element = element,
                       .num_elements = count,
                       .master = numbers<float>(t.master, count, t.master, kName),
                       .first_moment = numbers<float>(t.first_moment, count, t.master, kName),
                       .second_moment = numbers<float>(t.second_moment, count, t.master, kName),
                       .gradient = wide ? static_cast<const void*>(numbers<float>(t.gradient, count, t.master, kName))
                                        : numbers<at::BFloat16>(t.gradient, count, t.master, kName),
                       .value = t.value.defined() ? numbers<at::BFloat16>(t.value, count, t.master, kName) : nullptr,
                       .gradient_scale = static_cast<float>(step.gradient_scale),
                       .first_share = static_cast<float>(1.0 - step.beta1),
                       .beta2 = static_cast<float>(step.beta2),
                       .second_share = static_cast<float>(1.0 - step.beta2),
                       .inverse_root_correction = static_cast<float>(1.0 / std::sqrt(second_correction)),
                       .eps = static_cast<float>(step.eps),
                       .decay = static_cast<float>(1.0 - step.lr * step.weight_decay),
                       .step_size = static_cast<float>(step.lr / first_correction)},
         t.master);
}

std::pair<at::Tensor, at::Tensor> read_logits_cuda(const at::Tensor& logits, const at::Tensor& targets,
                                                   std::int64_t first_id) {
  constexpr const char* kName = "read_logits";
  TORCH_CHECK(logits.dim() == 2 && logits.is_contiguous(), kName, ": expected contiguous [n, V], found ",
              logits.sizes());
  const std::int64_t num_rows = logits.size(0);
  const at::Tensor lse = at::empty({num_rows}, logits.options().dtype(at::kFloat)), target_logit = at::empty_like(lse);
  launch(kernel::LogitRows{.element = element_of(logits, kName),
                           .num_rows = num_rows,
                           .num_columns = logits.size(1),
                           .logits = logits.const_data_ptr(),
                           .targets = numbers<std::int64_t>(targets, num_rows, logits, kName),
                           .first_id = first_id,
                           .lse = lse.mutable_data_ptr<float>(),
                           .target_logit = target_logit.mutable_data_ptr<float>()},
         logits);
  return {lse, target_logit};
}

void logit_gradients_cuda_(const at::Tensor& logits, const at::Tensor& targets, std::int64_t first_id,
                           const at::Tensor& lse, const at::Tensor& weights) {
  constexpr const char* kName = "logit_gradients";
  const std::int64_t num_rows = logits.size(0);
  launch(kernel::LogitGradients{.element = element_of(logits, kName),
                                .num_rows = num_rows,
                                .num_columns = logits.size(1),
                                .logits = logits.mutable_data_ptr(),
                                .targets = numbers<std::int64_t>(targets, num_rows, logits, kName),
                                .first_id = first_id,
                                .lse = numbers<float>(lse, num_rows, logits, kName),
                                .weights = numbers<float>(weights, num_rows, logits, kName)},
         logits);
}

}  // namespace entune
