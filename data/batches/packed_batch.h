#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/tokens/tokenizer.h"

namespace entune {

/// A micro-batch without padding: [prefix (P tokens) | leaf_1 | ... | leaf_B], T tokens in all. Every leaf continues the prefix: its
/// positions start at P, and it sees the prefix and itself, never another leaf. P = 0: plain packed samples.
struct PackedBatch {
  std::vector<std::int64_t> token_ids;      ///< [T]
  std::vector<std::int64_t> positions;      ///< [T]
  std::int64_t prefix_tokens = 0;           ///< P
  std::vector<std::int64_t> leaf_offsets;   ///< [B + 1], from P to T
  std::vector<std::size_t> samples;         ///< [B] index of each leaf's sample

  /// Supervision: row loss_rows[i] of the hidden states predicts loss_targets[i] with weight loss_weights[i]. A prefix row can stand
  /// here several times: the last one predicts every leaf's first token.
  std::vector<std::int64_t> loss_rows;
  std::vector<std::int64_t> loss_targets;
  std::vector<float> loss_weights;

  std::int64_t num_leaves() const { return static_cast<std::int64_t>(leaf_offsets.size()) - 1; }
  std::int64_t executed_tokens() const { return static_cast<std::int64_t>(token_ids.size()); }
};

/// Number of leading tokens that all `sequences` share, at most `limit`.
std::int64_t common_prefix_tokens(const std::vector<std::span<const TokenId>>& sequences, std::int64_t limit);

/// [prefix | leaves] of sequences that share their first `prefix_tokens` tokens, without supervision. Every sequence must be longer than that.
PackedBatch lay_out(const std::vector<std::span<const TokenId>>& sequences, std::int64_t prefix_tokens);

/// Tokens of a step or a run. logical: as if every sample stood alone with its whole prompt; executed: that the model computed;
/// supervised: answer tokens.
struct TokenCounts {
  std::int64_t logical = 0;
  std::int64_t executed = 0;
  std::int64_t supervised = 0;
};

}  // namespace entune
