#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace entune {

/// What one query a leaf can see while decoding: the shared prefix's keys and values and the leaf's own, which end with
/// the query's own token.
struct CachedKeys {
  at::Tensor prefix_keys, prefix_values;  ///< [1, K, P, D]; undefined if P = 0
  at::Tensor keys, values;                ///< [B, K, S, D]
  at::Tensor lengths;  ///< [B] int64: rows of S that hold tokens, the query's own included; at least 1
};

/// q [B, H, D] (rotated) -> [B, H, D]. The prefix is read once for all leaves. With a window, a query sees the last
/// `sliding_window` positions. No gradient.
at::Tensor cached_attention(const at::Tensor& q, const CachedKeys& cache, std::optional<std::int64_t> sliding_window);

}  // namespace entune
