#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "data/tokens/tokenizer.h"

namespace entune {

/// The tokens of a vocabulary by the bytes they spell (Tokenizer::bytes). Nodes are numbers, 0 the root; control tokens
/// are in none.
class PieceTrie {
 public:
  explicit PieceTrie(const Tokenizer& tokenizer);

  struct Child {
    char byte;
    std::int32_t node;
  };
  /// Children, by byte ascending (as unsigned).
  std::span<const Child> children(std::int32_t node) const;
  std::int32_t child(std::int32_t node, char byte) const;  ///< or -1
  /// Tokens that spell the bytes on the way to the node.
  std::span<const TokenId> tokens(std::int32_t node) const;

  /// For each byte offset of `text`, and its end: the fewest tokens that spell the rest. Bytes that no token alone
  /// spells count as one. Linear in the text, times the longest token's bytes.
  std::vector<std::int32_t> fewest_tokens(std::string_view text) const;
  /// Bytes that some token alone spells.
  std::bitset<256> single_bytes() const;

 private:
  struct Node {
    std::int32_t first_child = 0, num_children = 0, first_token = 0, num_tokens = 0;
  };
  std::vector<Node> nodes_;
  std::vector<Child> children_;
  std::vector<TokenId> tokens_;  // in the order of their bytes
};

}  // namespace entune
