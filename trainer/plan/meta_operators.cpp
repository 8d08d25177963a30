#include "trainer/plan/meta_operators.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace entune {
namespace {

using torch::jit::Stack;

std::int64_t round_up(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

at::Tensor floats(std::int64_t count, const at::Tensor& like) {
  return at::empty({count}, like.options().dtype(at::kFloat));
}

at::Tensor index_select(const at::Tensor& self, std::int64_t dim, const at::Tensor& index) {
  std::vector<std::int64_t> shape = self.sizes().vec();
  shape[c10::maybe_wrap_dim(dim, self.dim())] = index.numel();
  return at::empty(shape, self.options());
}

at::Tensor embedding_dense_backward(const at::Tensor& grad, const at::Tensor&, std::int64_t num_weights, std::int64_t,
                                    bool) {
  return at::empty({num_weights, grad.size(-1)}, grad.options());
}

at::Tensor logsumexp(const at::Tensor& self, at::IntArrayRef dim, bool keepdim) {
  const at::Tensor shifted = at::empty_like(self);
  return at::amax(self, dim, keepdim);
}

/// Updates in place.
void fused_adamw_(const c10::OperatorHandle& op, Stack* stack) {
  torch::jit::drop(*stack, op.schema().arguments().size());
}

/// Writes to its last argument.
void writes_out(const c10::OperatorHandle& op, Stack* stack) {
  const c10::IValue out = stack->back();
  torch::jit::drop(*stack, op.schema().arguments().size());
  torch::jit::push(*stack, out);
}

// The CPU's flash attention (ATen/native/cpu/FlashAttentionKernel.cpp): blocks of queries by blocks of keys, one set of
// buffers a thread.

struct CpuBlocks {
  std::int64_t rows, keys, threads;
};

CpuBlocks cpu_blocks(const at::Tensor& q, const at::Tensor& k) {
  const std::int64_t n = q.size(2);
  const std::int64_t rows = n >= 768 ? 256 : n >= 192 ? 64 : 32;
  return {std::min(rows, n), std::min<std::int64_t>(512, k.size(2)), at::get_num_threads()};
}

/// [B, H, n, D] with the rows outside, as the operator lays its results out.
at::Tensor by_rows(const at::Tensor& like) {
  return at::empty({like.size(0), like.size(2), like.size(1), like.size(3)}, like.options()).transpose(1, 2);
}

std::tuple<at::Tensor, at::Tensor> cpu_flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor&, double, bool,
                                             const std::optional<at::Tensor>&, std::optional<double>) {
  const CpuBlocks b = cpu_blocks(q, k);
  const at::Tensor out = by_rows(q);
  const at::Tensor lse = at::empty({q.size(0), q.size(2), q.size(1)}, q.options().dtype(at::kFloat)).transpose(1, 2);
  const at::Tensor buffers = floats(b.threads * (b.rows * b.keys + 2 * b.rows + b.rows * q.size(3)), q);
  const at::Tensor narrow =
      q.scalar_type() == at::kFloat ? at::Tensor() : at::empty({b.threads * b.rows * b.keys}, q.options());
  return {out, lse};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> cpu_flash_backward(const at::Tensor&, const at::Tensor& q,
                                                                  const at::Tensor& k, const at::Tensor& v,
                                                                  const at::Tensor&, const at::Tensor&, double, bool,
                                                                  const std::optional<at::Tensor>&,
                                                                  std::optional<double>) {
  const CpuBlocks b = cpu_blocks(q, k);
  std::tuple<at::Tensor, at::Tensor, at::Tensor> gradients{by_rows(q), by_rows(k), by_rows(v)};
  const at::Tensor buffers = floats(b.threads * (2 * b.rows * b.keys + b.rows), q);
  const at::Tensor narrow =
      q.scalar_type() == at::kFloat ? at::Tensor() : at::empty({b.threads * 2 * b.rows * b.keys}, q.options());
  return gradients;
}

// The GPUs' (ATen/native/transformers/cuda/flash_attn): q [B, n, H, D], or [T, H, D] of segments. The backward adds up
// dq in float32, over rows and heads that are rounded up to blocks, and has a dk and dv for each query head where these
// share keys.

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> gpu_flash(const at::Tensor& q) {
  const bool packed = q.dim() == 3;
  const at::Tensor lse = packed ? at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat))
                                : at::empty({q.size(0), q.size(2), q.size(1)}, q.options().dtype(at::kFloat));
  const at::Tensor state = at::empty({2}, q.options().dtype(at::kUInt64)), none = at::empty({0}, q.options());
  return {at::empty(q.sizes(), q.options()), lse, state, none, none};
}

void boxed_gpu_flash(const c10::OperatorHandle& op, Stack* stack) {
  const std::size_t num_arguments = op.schema().arguments().size();
  const at::Tensor q = torch::jit::peek(*stack, 0, num_arguments).toTensor();
  torch::jit::drop(*stack, num_arguments);
  auto [out, lse, state, unused, mask] = gpu_flash(q);
  torch::jit::push(*stack, out, lse, state, unused, mask);
}

void boxed_gpu_flash_backward(const c10::OperatorHandle& op, Stack* stack) {
  const std::size_t num_arguments = op.schema().arguments().size();
  const auto argument = [&](std::size_t i) { return torch::jit::peek(*stack, i, num_arguments); };
  const at::Tensor q = argument(1).toTensor(), k = argument(2).toTensor(), v = argument(3).toTensor();
  const at::Tensor offsets = argument(6).isNone() ? at::Tensor() : argument(6).toTensor();
  const std::int64_t longest = argument(8).toInt();
  torch::jit::drop(*stack, num_arguments);
  const std::int64_t heads = q.size(-2), width = round_up(q.size(-1), q.size(-1) <= 128 ? 32 : 64);
  const std::int64_t rows = q.dim() == 3 ? q.size(0) + 128 * (offsets.defined() ? offsets.size(0) - 1 : 1)
                                         : q.size(0) * round_up(longest, 128);
  const at::Tensor dq = at::empty(q.sizes(), q.options());
  const at::Tensor accumulated = floats(rows * heads * width, q), row_sums = floats(rows * heads, q);
  std::vector<std::int64_t> every_head = k.sizes().vec();
  every_head[every_head.size() - 2] = heads;
  const bool shared = heads != k.size(-2);
  const at::Tensor dk = at::empty(k.sizes(), k.options()), dv = at::empty(v.sizes(), v.options());
  const at::Tensor wide_dk = shared ? at::empty(every_head, k.options()) : at::Tensor();
  const at::Tensor wide_dv = shared ? at::empty(every_head, v.options()) : at::Tensor();
  torch::jit::push(*stack, dq, dk, dv);
}

}  // namespace

void register_meta_operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    static torch::Library library(torch::Library::IMPL, "aten", c10::DispatchKey::Meta, __FILE__, __LINE__);
    library.impl("index_select", &index_select);
    library.impl("logsumexp", &logsumexp);
    library.impl("embedding_dense_backward", &embedding_dense_backward);
    for (const char* name : {"logical_and.out", "logical_or.out"})
      library.impl(name, torch::CppFunction::makeFromBoxedFunction<&writes_out>());
    library.impl("_fused_adamw_", torch::CppFunction::makeFromBoxedFunction<&fused_adamw_>());
    library.impl("_scaled_dot_product_flash_attention_for_cpu", &cpu_flash);
    library.impl("_scaled_dot_product_flash_attention_for_cpu_backward", &cpu_flash_backward);
    library.impl("_flash_attention_forward", torch::CppFunction::makeFromBoxedFunction<&boxed_gpu_flash>());
    library.impl("_flash_attention_backward", torch::CppFunction::makeFromBoxedFunction<&boxed_gpu_flash_backward>());
  });
}

}  // namespace entune
