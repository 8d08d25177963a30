#include "data/constraints/piece_trie.h"

#include <algorithm>
#include <string>

namespace entune {

PieceTrie::PieceTrie(const Tokenizer& tokenizer) {
  std::vector<std::pair<std::string_view, TokenId>> pieces;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (const std::string_view bytes = tokenizer.bytes(id); !bytes.empty()) pieces.emplace_back(bytes, id);
  }
  std::ranges::sort(pieces);
  for (const auto& [bytes, id] : pieces) tokens_.push_back(id);

  // Breadth first: a node is the range of pieces that begin with its bytes; those that end there come first.
  struct Range {
    std::size_t begin, end, depth;
  };
  std::vector<Range> ranges{{0, pieces.size(), 0}};
  for (std::size_t index = 0; index < ranges.size(); ++index) {
    const Range range = ranges[index];
    std::size_t at = range.begin;
    while (at < range.end && pieces[at].first.size() == range.depth) ++at;
    Node node{.first_child = static_cast<std::int32_t>(children_.size()),
              .first_token = static_cast<std::int32_t>(range.begin),
              .num_tokens = static_cast<std::int32_t>(at - range.begin)};
    while (at < range.end) {
      const char byte = pieces[at].first[range.depth];
      std::size_t end = at;
      while (end < range.end && pieces[end].first[range.depth] == byte) ++end;
      children_.push_back({byte, static_cast<std::int32_t>(ranges.size())});
      ranges.push_back({at, end, range.depth + 1});
      at = end;
    }
    node.num_children = static_cast<std::int32_t>(children_.size()) - node.first_child;
    nodes_.push_back(node);
  }
}

std::span<const PieceTrie::Child> PieceTrie::children(std::int32_t node) const {
  const Node& at = nodes_[static_cast<std::size_t>(node)];
  return std::span(children_).subspan(static_cast<std::size_t>(at.first_child),
                                      static_cast<std::size_t>(at.num_children));
}

std::int32_t PieceTrie::child(std::int32_t node, char byte) const {
  const std::span<const Child> all = children(node);
  const auto found = std::ranges::lower_bound(all, static_cast<unsigned char>(byte), {}, [](const Child& child) {
    return static_cast<unsigned char>(child.byte);
  });
  return found != all.end() && found->byte == byte ? found->node : -1;
}

std::span<const TokenId> PieceTrie::tokens(std::int32_t node) const {
  const Node& at = nodes_[static_cast<std::size_t>(node)];
  return std::span(tokens_).subspan(static_cast<std::size_t>(at.first_token), static_cast<std::size_t>(at.num_tokens));
}

std::vector<std::int32_t> PieceTrie::fewest_tokens(std::string_view text) const {
  std::vector<std::int32_t> fewest(text.size() + 1, 0);
  for (std::size_t begin = text.size(); begin-- > 0;) {
    std::int32_t best = fewest[begin + 1] + 1;
    std::int32_t node = 0;
    for (std::size_t at = begin; at < text.size(); ++at) {
      node = child(node, text[at]);
      if (node < 0) break;
      if (!tokens(node).empty()) best = std::min(best, fewest[at + 1] + 1);
    }
    fewest[begin] = best;
  }
  return fewest;
}

std::bitset<256> PieceTrie::single_bytes() const {
  std::bitset<256> bytes;
  for (const Child& child : children(0)) {
    if (!tokens(child.node).empty()) bytes.set(static_cast<unsigned char>(child.byte));
  }
  return bytes;
}

}  // namespace entune
