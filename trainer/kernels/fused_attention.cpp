#include "trainer/kernels/fused_attention.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>
#include <string_view>

#include "trainer/kernels/attention_chooser.h"
#include "trainer/kernels/meta_kernels.h"
#include "trainer/kernels/padded_attention.h"

namespace entune {
namespace {

/// Two ways to bfloat16 differ by some thousandths in the forward and up to a hundredth in the backward.
constexpr double kTolerance = 2e-2;

enum class Backend { measured, flash, cudnn };

Backend pinned_backend() {
  const char* const value = std::getenv("ENTUNE_ATTENTION");
  const std::string_view name = value == nullptr ? "auto" : value;
  if (name == "auto") return Backend::measured;
  if (name == "flash") return Backend::flash;
  TORCH_CHECK(name == "cudnn", "ENTUNE_ATTENTION: expected auto, flash or cudnn, found '", std::string(name), "'");
  return Backend::cudnn;
}

Backend backend() {
  static const Backend pinned = pinned_backend();
  return at::globalContext().deterministicAlgorithms() ? Backend::flash : pinned;
}

/// Of three calls on the GPU of the results, by events.
double seconds_of(const AttentionChooser::Call& call) {
  constexpr int kCalls = 3;
  const at::Device device = call()[0].device();
  const auto now = [&] {
    c10::Event event(device.type(), c10::EventFlag::BACKEND_DEFAULT);
    event.record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
    return event;
  };
  const c10::Event begin = now();
  for (int i = 0; i < kCalls; ++i) call();
  const c10::Event end = now();
  end.synchronize();
  return begin.elapsedTime(end) / 1e3 / kCalls;
}

AttentionChooser& chooser() {
  static AttentionChooser instance(kTolerance, seconds_of, [](const std::string& line) { TORCH_WARN(line); });
  return instance;
}

std::vector<at::Tensor> chosen(const AttentionShape& shape, const AttentionChooser::Call& flash,
                               const AttentionChooser::Call& cudnn) {
  const Backend which = backend();
  if (which == Backend::measured) return chooser().run(shape, flash, cudnn);
  return which == Backend::flash ? flash() : cudnn();
}

/// [B, H, n, D] as flash wants it, [B, n, H, D], and back: a view.
at::Tensor turned(const at::Tensor& x) { return x.transpose(1, 2); }

}  // namespace

bool fused_attention_takes(const at::Tensor& x, std::int64_t head_dim) {
  return (x.is_cuda() || stands_for_gpu(x)) && (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf) &&
         head_dim % 8 == 0 && head_dim <= 256;
}

DenseAttention flash_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal) {
  const auto result = at::_flash_attention_forward(turned(q), turned(k), turned(v), std::nullopt, std::nullopt,
                                                   q.size(2), k.size(2), 0.0, is_causal, /*return_debug_mask=*/false);
  return {turned(std::get<0>(result)), std::get<1>(result)};
}

AttentionGradients flash_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal) {
  const at::Tensor no_dropout = at::zeros({2}, q.options().dtype(at::kUInt64)), unused = at::empty({0}, q.options());
  const auto [dq, dk, dv] = at::_flash_attention_backward(
      turned(grad), turned(q), turned(k), turned(v), turned(result.out), result.lse.contiguous(), at::Tensor(),
      at::Tensor(), q.size(2), k.size(2), 0.0, is_causal, no_dropout, unused);
  return {turned(dq), turned(dk), turned(dv)};
}

DenseAttention cudnn_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal) {
  const auto attend = [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal) {
    const auto result =
        at::_cudnn_attention_forward(q, k, v, std::nullopt, std::nullopt, std::nullopt, q.size(2), k.size(2),
                                     /*compute_log_sumexp=*/true, 0.0, is_causal, /*return_debug_mask=*/false);
    return DenseAttention{std::get<0>(result), std::get<1>(result).squeeze(-1)};
  };
  return padded_attention(attend, q, k, v, is_causal);
}

AttentionGradients cudnn_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal) {
  const auto backward = [](const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const DenseAttention& result, bool is_causal) {
    const at::Tensor no_dropout = at::zeros({}, q.options().dtype(at::kLong));
    const auto [dq, dk, dv] = at::_cudnn_attention_backward(
        grad, q, k, v, result.out, result.lse.unsqueeze(-1), no_dropout, no_dropout, at::Tensor(), at::Tensor(),
        at::Tensor(), q.size(2), k.size(2), 0.0, is_causal);
    return AttentionGradients{dq, dk, dv};
  };
  return padded_attention_backward(backward, grad, q, k, v, result, is_causal);
}

DenseAttention fused_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal) {
  if (q.is_meta()) return flash_attention(q, k, v, is_causal);
  const auto with = [&](const auto& attention) -> AttentionChooser::Call {
    return [&] {
      const DenseAttention result = attention(q, k, v, is_causal);
      return std::vector<at::Tensor>{result.out, result.lse};
    };
  };
  const std::vector<at::Tensor> result =
      chosen(attention_shape(q, k, is_causal, false), with(flash_attention), with(cudnn_attention));
  return {result[0], result[1]};
}

AttentionGradients fused_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal) {
  if (q.is_meta()) return flash_attention_backward(grad, q, k, v, result, is_causal);
  const auto with = [&](const auto& backward) -> AttentionChooser::Call {
    return [&] {
      const AttentionGradients g = backward(grad, q, k, v, result, is_causal);
      return std::vector<at::Tensor>{g.q, g.k, g.v};
    };
  };
  const std::vector<at::Tensor> gradients = chosen(attention_shape(q, k, is_causal, true),
                                                   with(flash_attention_backward), with(cudnn_attention_backward));
  return {gradients[0], gradients[1], gradients[2]};
}

}  // namespace entune
