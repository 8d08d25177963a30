#include "trainer/kernels/cached_attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "trainer/kernels/attention_merge.h"
#include "trainer/kernels/dense_attention.h"
#include "trainer/kernels/fused_attention.h"

namespace entune {
namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();

/// [B, S], true where the leaf's row holds no token or lies before the window.
at::Tensor hidden_rows(const CachedKeys& cache, std::optional<std::int64_t> window) {
  const at::Tensor row = at::arange(cache.keys.size(2), cache.lengths.options()).unsqueeze(0);
  const at::Tensor lengths = cache.lengths.unsqueeze(1);
  at::Tensor hidden = row.ge(lengths);
  if (window) hidden.logical_or_(row.le(lengths.sub(1 + *window)));
  return hidden;
}

/// Softmax over prefix and own keys at once, in float32: for windows, where a query may see nothing of the prefix.
at::Tensor attend_dense(const at::Tensor& q, const CachedKeys& cache, std::int64_t window) {
  const std::int64_t num_leaves = q.size(0), kv_heads = cache.keys.size(1);
  const at::Tensor queries =
      q.view({num_leaves, kv_heads, -1, q.size(2)}).to(at::kFloat).div(std::sqrt(static_cast<double>(q.size(2))));
  at::Tensor scores = at::matmul(queries, cache.keys.to(at::kFloat).transpose(2, 3));  // [B, K, G, S]
  scores.masked_fill_(hidden_rows(cache, window).view({num_leaves, 1, 1, -1}), kHidden);
  at::Tensor values = cache.values.to(at::kFloat);
  if (!cache.prefix_keys.defined()) return at::matmul(at::softmax(scores, -1), values).view_as(q).to(q.scalar_type());
  const std::int64_t prefix = cache.prefix_keys.size(2);
  at::Tensor prefix_scores = at::matmul(queries, cache.prefix_keys.to(at::kFloat).transpose(2, 3));  // [B, K, G, P]
  const at::Tensor distance =
      cache.lengths.add(prefix - 1).unsqueeze(1).sub(at::arange(prefix, cache.lengths.options()).unsqueeze(0));
  prefix_scores.masked_fill_(distance.ge(window).view({num_leaves, 1, 1, prefix}), kHidden);
  const at::Tensor weights = at::softmax(at::cat({prefix_scores, scores}, -1), -1);
  at::Tensor out = at::matmul(weights.narrow(-1, prefix, scores.size(-1)), values);
  out.add_(at::matmul(weights.narrow(-1, 0, prefix), cache.prefix_values.to(at::kFloat)));
  return out.reshape(q.sizes()).to(q.scalar_type());
}

/// keys or values [B, K, S, D] as one run of rows [n, K, D], in which leaf b begins at row b * stride(0) / stride(2).
/// Where a head's rows lie together, those of other heads lie between two leaves.
at::Tensor as_rows(const at::Tensor& x) {
  const std::int64_t leaf_pitch = x.stride(0) / x.stride(2);
  return x.as_strided({(x.size(0) - 1) * leaf_pitch + x.size(2), x.size(1), x.size(3)},
                      {x.stride(2), x.stride(1), x.stride(3)});
}

/// Two calls and their merge, as in packed attention: each leaf's query over its own keys, and all leaves' queries, as
/// one long query, over the prefix.
at::Tensor attend_flash(const at::Tensor& q, const CachedKeys& cache) {
  TORCH_CHECK(cache.offsets.used.defined(), "cached attention: expected a cache with its offsets on ", q.device());
  auto [out, lse, random_state, unused, mask] = at::_flash_attention_forward(
      q, as_rows(cache.keys), as_rows(cache.values), cache.offsets.queries, cache.offsets.keys, /*max_q=*/1,
      cache.keys.size(2), 0.0, /*is_causal=*/false, false, std::nullopt, std::nullopt, std::nullopt, cache.offsets.used);
  if (!cache.prefix_keys.defined()) return out;
  const auto [prefix_out, prefix_lse] =
      flash_attention(q.unsqueeze(0).transpose(1, 2), cache.prefix_keys, cache.prefix_values, /*is_causal=*/false);
  at::Tensor by_leaf = lse.t();  // it comes as [H, B]
  merge_attention_(out, by_leaf, prefix_out[0].transpose(0, 1), prefix_lse[0].t());
  return out;
}

}  // namespace

FlashOffsets flash_offsets(const CachedKeys& cache) {
  if (!cache.keys.is_cuda()) return {};
  const at::Tensor leaf = at::arange(cache.keys.size(0) + 1, cache.lengths.options().dtype(at::kInt));
  return {leaf, leaf.mul(cache.keys.stride(0) / cache.keys.stride(2)), cache.lengths.to(at::kInt)};
}

at::Tensor cached_attention(const at::Tensor& q, const CachedKeys& cache, std::optional<std::int64_t> sliding_window) {
  const std::int64_t num_leaves = q.size(0), kv_heads = cache.keys.size(1), group = q.size(1) / kv_heads,
                     head_dim = q.size(2);
  const std::int64_t prefix = cache.prefix_keys.defined() ? cache.prefix_keys.size(2) : 0;
  if (sliding_window && prefix + cache.keys.size(2) > *sliding_window) return attend_dense(q, cache, *sliding_window);
  if (fused_attention_takes(q, head_dim)) return attend_flash(q, cache);

  // The query heads of one kv head stand as so many queries of it: no key is repeated.
  const at::Tensor queries = q.view({num_leaves, kv_heads, group, head_dim});
  const at::Tensor mask =
      at::zeros({num_leaves, cache.keys.size(2)}, q.options()).masked_fill_(hidden_rows(cache, std::nullopt), kHidden);
  const auto [out, lse] = dense_attention(queries, cache.keys, cache.values, false,
                                          mask.view({num_leaves, 1, 1, -1}).expand({-1, -1, group, -1}));
  if (prefix == 0) return out.reshape(q.sizes());

  const at::Tensor long_query = queries.transpose(0, 1).reshape({1, kv_heads, num_leaves * group, head_dim});
  const auto [prefix_out, prefix_lse] =
      dense_attention(long_query, cache.prefix_keys, cache.prefix_values, false);
  const at::Tensor by_leaf = prefix_out.reshape({kv_heads, num_leaves, group, head_dim}).transpose(0, 1);
  const at::Tensor by_leaf_lse = prefix_lse.reshape({kv_heads, num_leaves, group}).transpose(0, 1);
  const at::Tensor share = by_leaf_lse.sub(lse).sigmoid_().to(q.scalar_type()).unsqueeze(-1);
  return at::lerp(out, by_leaf, share).reshape(q.sizes());
}

}  // namespace entune
