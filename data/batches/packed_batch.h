#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/tokens/tokenizer.h"

namespace entune {

/// Rows of a prefix that one data rank computes: [begin, begin + rows).
struct PrefixPart {
  std::int64_t begin = 0;
  std::int64_t rows = 0;
};

/// A micro-batch without padding: [prefix (P tokens) | leaf_1 | ... | leaf_B], T tokens in all. Every leaf continues
/// the prefix: its positions start at P, and it sees the prefix and itself, never another leaf. P = 0: plain packed
/// samples.
///
/// The prefix can be split over the data ranks: then only `prefix_part` of it stands here, in place of the whole, and
/// keys and values of the rest come from the ranks that have them. All ranks then have equally many micro-batches, and
/// their i-th ones belong together.
struct PackedBatch {
  std::vector<std::int64_t> token_ids;     ///< [T]
  std::vector<std::int64_t> positions;     ///< [T]
  std::int64_t prefix_tokens = 0;          ///< P, wherever its rows are
  std::optional<PrefixPart> prefix_part;   ///< absent: the whole prefix
  std::vector<std::int64_t> leaf_offsets;  ///< [B + 1], from prefix_rows() to T
  std::vector<std::size_t> samples;        ///< [B] index of each leaf's sample

  /// Supervision: row loss_rows[i] of the hidden states predicts loss_targets[i] with weight loss_weights[i]. A prefix
  /// row can stand here several times: the last one predicts every leaf's first token.
  std::vector<std::int64_t> loss_rows;
  std::vector<std::int64_t> loss_targets;
  std::vector<float> loss_weights;

  std::int64_t num_leaves() const { return static_cast<std::int64_t>(leaf_offsets.size()) - 1; }
  /// Rows of the prefix that stand here.
  std::int64_t prefix_rows() const { return prefix_part ? prefix_part->rows : prefix_tokens; }
  std::int64_t executed_tokens() const { return static_cast<std::int64_t>(token_ids.size()); }
};

/// Number of leading tokens that all `sequences` share, at most `limit`.
std::int64_t common_prefix_tokens(const std::vector<std::span<const TokenId>>& sequences, std::int64_t limit);

/// [prefix | leaves] of sequences that share their first `prefix_tokens` tokens, without supervision. Every sequence
/// must be longer than that. `part`: of the prefix, only this stands in it.
PackedBatch lay_out(const std::vector<std::span<const TokenId>>& sequences, std::int64_t prefix_tokens,
                    std::optional<PrefixPart> part = {});

/// Tokens of a step or a run. logical: as if every sample stood alone with its whole prompt; executed: that the model
/// computed; supervised: answer tokens.
struct TokenCounts {
  std::int64_t logical = 0;
  std::int64_t executed = 0;
  std::int64_t supervised = 0;
};

}  // namespace entune
