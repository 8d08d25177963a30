#include "data/batches/packed_batch.h"

#include <algorithm>
#include <stdexcept>

namespace entune {

std::int64_t common_prefix_tokens(const std::vector<std::span<const TokenId>>& sequences, std::int64_t limit) {
  if (sequences.empty()) return 0;
  const std::span<const TokenId> first = sequences.front();
  std::size_t common = std::min(first.size(), static_cast<std::size_t>(std::max<std::int64_t>(limit, 0)));
  for (const std::span<const TokenId> other : sequences) {
    const auto end = first.begin() + static_cast<std::ptrdiff_t>(std::min(common, other.size()));
    common = static_cast<std::size_t>(std::mismatch(first.begin(), end, other.begin()).first - first.begin());
  }
  return static_cast<std::int64_t>(common);
}

PackedBatch lay_out(const std::vector<std::span<const TokenId>>& sequences, std::int64_t prefix_tokens,
                    std::optional<PrefixPart> part) {
  PackedBatch batch;
  batch.prefix_tokens = prefix_tokens;
  batch.prefix_part = part;
  const auto add = [&](std::span<const TokenId> tokens, std::int64_t position) {
    for (const TokenId id : tokens) {
      batch.token_ids.push_back(id);
      batch.positions.push_back(position++);
    }
  };
  const auto prefix_size = static_cast<std::size_t>(prefix_tokens);
  if (prefix_size > 0) {
    const PrefixPart here = part.value_or(PrefixPart{0, prefix_tokens});
    add(sequences.at(0).subspan(static_cast<std::size_t>(here.begin), static_cast<std::size_t>(here.rows)), here.begin);
  }
  batch.leaf_offsets.push_back(batch.executed_tokens());
  for (const std::span<const TokenId> sequence : sequences) {
    if (sequence.size() <= prefix_size) throw std::invalid_argument("lay_out: a sequence that ends within the prefix");
    add(sequence.subspan(prefix_size), prefix_tokens);
    batch.leaf_offsets.push_back(batch.executed_tokens());
  }
  return batch;
}

}  // namespace entune
