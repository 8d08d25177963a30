#include "trainer/kernels/dense_attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <optional>

#include "trainer/kernels/meta_kernels.h"

namespace entune {
namespace {

std::optional<at::Tensor> given(const at::Tensor& mask) {
  return mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt;
}

bool has_cpu_flash(const at::Tensor& q) { return q.is_cpu() || stands_for_cpu(q); }

at::Tensor wide(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat); }

/// [B, H, n, D] -> [B, K, H / K, n, D]: the query heads of one key head beside each other, a view.
at::Tensor by_key_head(const at::Tensor& x, std::int64_t kv_heads) {
  return x.unflatten(1, {kv_heads, x.size(1) / kv_heads});
}

/// Scaled and masked scores [B, K, G, n, m].
at::Tensor scores_of(const at::Tensor& q, const at::Tensor& k, bool is_causal, const at::Tensor& mask) {
  const std::int64_t kv_heads = k.size(1);
  at::Tensor scores = at::matmul(by_key_head(wide(q), kv_heads), wide(k).unsqueeze(2).transpose(-2, -1));
  scores.mul_(1.0 / std::sqrt(static_cast<double>(q.size(3))));
  if (is_causal) {
    const at::Tensor hidden = at::ones({q.size(2), k.size(2)}, q.options().dtype(at::kBool)).triu_(1);
    scores.masked_fill_(hidden, -std::numeric_limits<double>::infinity());
  }
  if (mask.defined()) scores.add_(by_key_head(mask.expand({q.size(0), q.size(1), q.size(2), k.size(2)}), kv_heads));
  return scores;
}

}  // namespace

DenseAttention plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal,
                               const at::Tensor& mask) {
  at::Tensor scores = scores_of(q, k, is_causal, mask);
  const at::Tensor lse = scores.logsumexp(at::IntArrayRef{-1}, /*keepdim=*/true);
  const at::Tensor probabilities = scores.sub_(lse).exp_();
  const at::Tensor out = at::matmul(probabilities, wide(v).unsqueeze(2));
  return {out.flatten(1, 2).to(q.scalar_type()), lse.squeeze(-1).flatten(1, 2)};
}

// The softmax's rows are made again from the log-sum-exp, which may be that of a merged result: then they are this
// block's part of the whole rows. dS = P * (dP - sum_j dO_j O_j) holds with the merged output too (Dao 2022, 3.1).
AttentionGradients plain_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal,
                                            const at::Tensor& mask) {
  const std::int64_t kv_heads = k.size(1);
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  const at::Tensor d_out = by_key_head(wide(grad), kv_heads), out = by_key_head(wide(result.out), kv_heads);
  const at::Tensor lse = by_key_head(result.lse.unsqueeze(-1), kv_heads);
  const at::Tensor probabilities = scores_of(q, k, is_causal, mask).sub_(lse).exp_();
  const at::Tensor row_sums = d_out.mul(out).sum(at::IntArrayRef{-1}, /*keepdim=*/true);
  at::Tensor d_scores = at::matmul(d_out, wide(v).unsqueeze(2).transpose(-2, -1));
  d_scores.sub_(row_sums).mul_(probabilities).mul_(scale);
  // Keys and values are shared by the G query heads: their parts are summed.
  const at::Tensor dv = at::matmul(probabilities.transpose(-2, -1), d_out).sum(2);
  const at::Tensor dk = at::matmul(d_scores.transpose(-2, -1), by_key_head(wide(q), kv_heads)).sum(2);
  const at::Tensor dq = at::matmul(d_scores, wide(k).unsqueeze(2)).flatten(1, 2);
  return {dq.to(q.scalar_type()), dk.to(k.scalar_type()), dv.to(v.scalar_type())};
}

DenseAttention dense_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool is_causal,
                               const at::Tensor& mask) {
  if (!has_cpu_flash(q)) return plain_attention(q, k, v, is_causal, mask);
  auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, is_causal, given(mask));
  return {out, lse};
}

AttentionGradients dense_attention_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v, const DenseAttention& result, bool is_causal,
                                            const at::Tensor& mask) {
  if (!has_cpu_flash(q)) return plain_attention_backward(grad, q, k, v, result, is_causal, mask);
  auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(grad, q, k, v, result.out, result.lse,
                                                                               0.0, is_causal, given(mask));
  return {dq, dk, dv};
}

}  // namespace entune
