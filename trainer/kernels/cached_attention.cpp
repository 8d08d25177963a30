#include "trainer/kernels/cached_attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "trainer/kernels/attention_merge.h"
#include "trainer/kernels/dense_attention.h"
#include "trainer/kernels/fused_attention.h"

namespace entune {
namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();

std::int64_t queries_a_leaf(const CachedKeys& cache) { return cache.rows ? cache.rows->most : 1; }

/// [B, N]: how many of the leaf's rows each of its queries sees, its own token included. Those of queries that do not
/// exist are of no account.
at::Tensor visible_rows(const CachedKeys& cache) {
  const at::Tensor lengths = cache.lengths.unsqueeze(1);
  if (!cache.rows) return lengths;
  const at::Tensor place = at::arange(1, cache.rows->most + 1, cache.lengths.options());
  return lengths.sub(cache.rows->counts.unsqueeze(1)).add(place.unsqueeze(0));
}

/// [B, N, S], true where the leaf's row is no token that the query sees, or lies before the window.
at::Tensor hidden_rows(const CachedKeys& cache, std::optional<std::int64_t> window) {
  const at::Tensor row = at::arange(cache.keys.size(2), cache.lengths.options()).view({1, 1, -1});
  const at::Tensor visible = visible_rows(cache).unsqueeze(2);
  at::Tensor hidden = row.ge(visible);
  if (window) hidden.logical_or_(row.le(visible.sub(1 + *window)));
  return hidden;
}

/// Rows [R, H, ...] -> [B, N, H, ...], zeros where a leaf has fewer than N.
at::Tensor by_leaf(const at::Tensor& x, const CachedKeys& cache) {
  if (!cache.rows) return x.unsqueeze(1);
  std::vector<std::int64_t> shape{cache.keys.size(0), cache.rows->most};
  shape.insert(shape.end(), x.sizes().begin() + 1, x.sizes().end());
  return at::zeros(shape, x.options()).index_put_({cache.rows->leaf, cache.rows->place}, x);
}

/// by_leaf() back.
at::Tensor by_row(const at::Tensor& x, const CachedKeys& cache) {
  return cache.rows ? x.index({cache.rows->leaf, cache.rows->place}) : x.squeeze(1);
}

/// Softmax over prefix and own keys at once, in float32: for windows, where a query may see nothing of the prefix.
at::Tensor attend_dense(const at::Tensor& q, const CachedKeys& cache, std::int64_t window) {
  const std::int64_t num_leaves = cache.keys.size(0), kv_heads = cache.keys.size(1), num = queries_a_leaf(cache);
  const std::int64_t group = q.size(1) / kv_heads;
  const at::Tensor queries = by_leaf(q, cache)
                                 .view({num_leaves, num, kv_heads, group, q.size(2)})
                                 .transpose(1, 2)
                                 .reshape({num_leaves, kv_heads, num * group, q.size(2)})
                                 .to(at::kFloat)
                                 .div(std::sqrt(static_cast<double>(q.size(2))));
  const auto hide = [&](const at::Tensor& scores, const at::Tensor& hidden) {  // hidden [B, N, S]
    scores.view({num_leaves, kv_heads, num, group, -1}).masked_fill_(hidden.unsqueeze(1).unsqueeze(3), kHidden);
  };
  const auto finish = [&](const at::Tensor& out) {
    const at::Tensor heads = out.view({num_leaves, kv_heads, num, group, q.size(2)}).transpose(1, 2);
    return by_row(heads.reshape({num_leaves, num, q.size(1), q.size(2)}), cache).to(q.scalar_type());
  };
  const at::Tensor scores = at::matmul(queries, cache.keys.to(at::kFloat).transpose(2, 3));  // [B, K, N G, S]
  hide(scores, hidden_rows(cache, window));
  const at::Tensor values = cache.values.to(at::kFloat);
  if (!cache.prefix_keys.defined()) return finish(at::matmul(at::softmax(scores, -1), values));
  const std::int64_t prefix = cache.prefix_keys.size(2);
  const at::Tensor prefix_scores = at::matmul(queries, cache.prefix_keys.to(at::kFloat).transpose(2, 3));
  const at::Tensor distance = visible_rows(cache)
                                  .add(prefix - 1)
                                  .unsqueeze(2)
                                  .sub(at::arange(prefix, cache.lengths.options()).view({1, 1, -1}));
  hide(prefix_scores, distance.ge(window));
  const at::Tensor weights = at::softmax(at::cat({prefix_scores, scores}, -1), -1);
  at::Tensor out = at::matmul(weights.narrow(-1, prefix, scores.size(-1)), values);
  out.add_(at::matmul(weights.narrow(-1, 0, prefix), cache.prefix_values.to(at::kFloat)));
  return finish(out);
}

/// keys or values [B, K, S, D] as one run of rows [n, K, D], in which leaf b begins at row b * stride(0) / stride(2).
/// Where a head's rows lie together, those of other heads lie between two leaves.
at::Tensor as_rows(const at::Tensor& x) {
  const std::int64_t leaf_pitch = x.stride(0) / x.stride(2);
  return x.as_strided({(x.size(0) - 1) * leaf_pitch + x.size(2), x.size(1), x.size(3)},
                      {x.stride(2), x.stride(1), x.stride(3)});
}

/// Two calls and their merge, as in packed attention: each leaf's queries over its own keys (several of them causally,
/// which counts from the keys' end), and all leaves' queries, as one long query, over the prefix.
at::Tensor attend_flash(const at::Tensor& q, const CachedKeys& cache) {
  TORCH_CHECK(cache.offsets.used.defined(), "cached attention: expected a cache with its offsets on ", q.device());
  auto [out, lse, random_state, unused, mask] = at::_flash_attention_forward(
      q, as_rows(cache.keys), as_rows(cache.values), cache.offsets.queries, cache.offsets.keys, queries_a_leaf(cache),
      cache.keys.size(2), 0.0, /*is_causal=*/cache.rows.has_value(), false, std::nullopt, std::nullopt, std::nullopt,
      cache.offsets.used);
  if (!cache.prefix_keys.defined()) return out;
  const auto [prefix_out, prefix_lse] =
      flash_attention(q.unsqueeze(0).transpose(1, 2), cache.prefix_keys, cache.prefix_values, /*is_causal=*/false);
  at::Tensor own_lse = lse.t();  // it comes as [H, R]
  merge_attention_(out, own_lse, prefix_out[0].transpose(0, 1), prefix_lse[0].t());
  return out;
}

}  // namespace

FlashOffsets flash_offsets(const CachedKeys& cache) {
  if (!cache.keys.is_cuda()) return {};
  const at::Tensor leaf = at::arange(cache.keys.size(0) + 1, cache.lengths.options().dtype(at::kInt));
  const at::Tensor queries =
      cache.rows ? at::cat({leaf.narrow(0, 0, 1), cache.rows->counts.cumsum(0).to(at::kInt)}) : leaf;
  return {queries, leaf.mul(cache.keys.stride(0) / cache.keys.stride(2)), cache.lengths.to(at::kInt)};
}

at::Tensor cached_attention(const at::Tensor& q, const CachedKeys& cache, std::optional<std::int64_t> sliding_window) {
  const std::int64_t num_leaves = cache.keys.size(0), kv_heads = cache.keys.size(1), group = q.size(1) / kv_heads,
                     head_dim = q.size(2), num = queries_a_leaf(cache), num_rows = q.size(0);
  const std::int64_t prefix = cache.prefix_keys.defined() ? cache.prefix_keys.size(2) : 0;
  if (sliding_window && prefix + cache.keys.size(2) > *sliding_window) return attend_dense(q, cache, *sliding_window);
  if (fused_attention_takes(q, head_dim)) return attend_flash(q, cache);

  // The query heads of one kv head stand as so many queries of it: no key is repeated.
  const at::Tensor queries = by_leaf(q, cache)
                                 .view({num_leaves, num, kv_heads, group, head_dim})
                                 .transpose(1, 2)
                                 .reshape({num_leaves, kv_heads, num * group, head_dim});
  const at::Tensor mask = at::zeros({num_leaves, num, cache.keys.size(2)}, q.options())
                              .masked_fill_(hidden_rows(cache, std::nullopt), kHidden)
                              .unsqueeze(2)
                              .expand({-1, -1, group, -1})
                              .reshape({num_leaves, 1, num * group, -1});
  auto [out, lse] = dense_attention(queries, cache.keys, cache.values, false, mask);
  // [B, K, N G, ...] -> rows [R, K, G, ...]
  const auto rows = [&](const at::Tensor& x, at::IntArrayRef rest) {
    std::vector<std::int64_t> split{num_leaves, kv_heads, num, group};
    split.insert(split.end(), rest.begin(), rest.end());
    return by_row(x.reshape(split).transpose(1, 2), cache);
  };
  out = rows(out, {head_dim});
  if (prefix == 0) return out.reshape(q.sizes());

  const at::Tensor long_query =
      q.view({num_rows, kv_heads, group, head_dim}).transpose(0, 1).reshape({1, kv_heads, num_rows * group, head_dim});
  const auto [prefix_out, prefix_lse] = dense_attention(long_query, cache.prefix_keys, cache.prefix_values, false);
  const at::Tensor prefix_rows = prefix_out.reshape({kv_heads, num_rows, group, head_dim}).transpose(0, 1);
  const at::Tensor prefix_rows_lse = prefix_lse.reshape({kv_heads, num_rows, group}).transpose(0, 1);
  const at::Tensor share = prefix_rows_lse.sub(rows(lse, {})).sigmoid_().to(q.scalar_type()).unsqueeze(-1);
  return at::lerp(out, prefix_rows, share).reshape(q.sizes());
}

}  // namespace entune
