#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace entune {

/// For GPUs' flash operators, int32: in rows of D numbers, where each leaf's query and keys begin, [B + 1], and how many
/// keys it has, [B].
struct FlashOffsets {
  at::Tensor queries, keys, used;
};

/// What one query a leaf can see while decoding: the shared prefix's keys and values and the leaf's own, which end with
/// the query's own token.
struct CachedKeys {
  at::Tensor prefix_keys, prefix_values;  ///< [1, K, P, D]; undefined if P = 0
  at::Tensor keys, values;                ///< [B, K, S, D]
  at::Tensor lengths;  ///< [B] int64: rows of S that hold tokens, the query's own included; at least 1
  FlashOffsets offsets = {};  ///< flash_offsets of the others
};

/// Undefined ones on a CPU. Caches of the same shape, strides and lengths, as those of all layers, have the same.
FlashOffsets flash_offsets(const CachedKeys& cache);

/// q [B, H, D] (rotated) -> [B, H, D]. The prefix is read once for all leaves. With a window, a query sees the last
/// `sliding_window` positions. No gradient.
at::Tensor cached_attention(const at::Tensor& q, const CachedKeys& cache, std::optional<std::int64_t> sliding_window);

}  // namespace entune
