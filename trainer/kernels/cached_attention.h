#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace entune {

/// For GPUs' flash operators, int32: in rows of D numbers, where each leaf's query and keys begin, [B + 1], and how
/// many keys it has, [B].
struct FlashOffsets {
  at::Tensor queries, keys, used;
};

/// Which leaf's token each row of queries is, where leaves have several (decoding what was drafted).
struct CachedRows {
  at::Tensor leaf{};      ///< [R] int64, ascending
  at::Tensor place{};     ///< [R] int64: among the rows of its leaf, from 0
  at::Tensor slot{};      ///< [R] int64: row of S that holds the token
  at::Tensor counts{};    ///< [B] int64: rows of each leaf, at least 1
  std::int64_t most = 1;  ///< the largest of them
};

/// What the queries of leaves can see while decoding: the shared prefix's keys and values and the leaf's own, up to the
/// query's own token.
struct CachedKeys {
  at::Tensor prefix_keys, prefix_values;  ///< [1, K, P, D]; undefined if P = 0
  at::Tensor keys, values;                ///< [B, K, S, D]
  at::Tensor lengths;  ///< [B] int64: rows of S that hold tokens, those of the queries included; at least 1
  std::optional<CachedRows> rows = {};  ///< absent: one query a leaf, in the order of the leaves
  FlashOffsets offsets = {};            ///< flash_offsets of the others
};

/// Undefined ones on a CPU. Caches of the same shape, strides and lengths, as those of all layers, have the same.
FlashOffsets flash_offsets(const CachedKeys& cache);

/// q [R, H, D] (rotated; R = B without `rows`) -> [R, H, D]. The prefix is read once for all leaves. With a window, a
/// query sees the last `sliding_window` positions. No gradient.
at::Tensor cached_attention(const at::Tensor& q, const CachedKeys& cache, std::optional<std::int64_t> sliding_window);

}  // namespace entune
