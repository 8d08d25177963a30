#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "trainer/kernels/rotary.h"

namespace entune {

/// Who sees whom in packed rows [prefix | leaf_1 | ... | leaf_B] (data/batches/packed_batch.h): the prefix is causal, a
/// leaf row sees the whole prefix and the earlier rows of its own leaf. With a window a row sees the last
/// `sliding_window` positions, itself included.
///
/// Queries may hold a part of the prefix only, rows [prefix_begin, prefix_begin + prefix_rows); the keys always hold
/// all of it.
struct PackedLayout {
  std::int64_t prefix_tokens = 0;          ///< P
  std::vector<std::int64_t> leaf_offsets;  ///< [B + 1] in the queries, from prefix_rows to T
  std::optional<std::int64_t> sliding_window;
  std::int64_t prefix_begin = 0;
  std::int64_t prefix_rows = prefix_tokens;
  /// Where the segments (the prefix's rows, each leaf) begin and end, [segments + 1] int32 on a GPU: of GPU attention
  /// alone, which every layer does with the same ones.
  at::Tensor segment_offsets = {};

  /// Fills segment_offsets if `device` is a GPU. After the last change of the other fields.
  void prepare_for(at::Device device);

  /// Rows of the keys before those of the queries' leaves are this many more than in the queries.
  std::int64_t keys_ahead() const { return prefix_tokens - prefix_rows; }

  /// Whether the window hides anything that causality alone would show.
  bool window_matters() const;
};

/// Attention of q [T, H, D] over k, v [T + keys_ahead, K, D] (H a multiple of K: query head h reads kv head h / (H /
/// K)), scaled by 1/sqrt(D), after rotary position embedding with the tables of their rows' positions. q and k are
/// consumed: they are rotated in place and must not be used afterwards. Returns [T, H, D].
///
/// Exact: leaves attend to themselves and to the prefix in two calls, which are merged by their log-sum-exps; the
/// backward gives both the merged output and log-sum-exp, from which each part's gradients follow (notes: Cascade
/// attention of FlashInfer, ring attention). The prefix's keys and values are never repeated. On a GPU the layout must
/// have been prepared for it.
at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const RotaryTables& query_rotary, const RotaryTables& key_rotary,
                            const PackedLayout& layout);

/// The same by one dense mask [T, T + keys_ahead] and plain differentiable operations, in the inputs' type; q and k
/// come rotated. For tests.
at::Tensor packed_attention_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                      const PackedLayout& layout);

}  // namespace entune
