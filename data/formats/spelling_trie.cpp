#include "data/formats/spelling_trie.h"

#include <algorithm>

namespace entune {

SpellingTrie::SpellingTrie(const std::vector<std::string>& spellings) : nodes_(1) {
  for (int index = 0; index < static_cast<int>(spellings.size()); ++index) {
    int node = 0;
    nodes_[0].below.push_back(index);
    for (const char byte : spellings[static_cast<std::size_t>(index)]) {
      int next = child(node, byte);
      if (next < 0) {
        next = static_cast<int>(nodes_.size());
        nodes_.push_back({.depth = depth(node) + 1});
        nodes_[static_cast<std::size_t>(node)].children.emplace_back(byte, next);
      }
      node = next;
      nodes_[static_cast<std::size_t>(node)].below.push_back(index);
    }
    nodes_[static_cast<std::size_t>(node)].spelling = index;
    lengths_.push_back(depth(node));
  }
}

int SpellingTrie::child(int node, char byte) const {
  for (const auto& [spelled, next] : nodes_[static_cast<std::size_t>(node)].children) {
    if (spelled == byte) return next;
  }
  return -1;
}

std::optional<char> SpellingTrie::only_byte(int node) const {
  const Node& at = nodes_[static_cast<std::size_t>(node)];
  if (at.spelling >= 0 || at.children.size() != 1) return std::nullopt;
  return at.children.front().first;
}

int SpellingTrie::bytes_left(int node) const {
  int longest = 0;
  for (const int index : below(node)) longest = std::max(longest, lengths_[static_cast<std::size_t>(index)]);
  return longest - depth(node);
}

int SpellingTrie::found_at(std::string_view text) const {
  int node = 0, found = spelling(0);
  for (const char byte : text) {
    node = child(node, byte);
    if (node < 0) break;
    if (spelling(node) >= 0) found = spelling(node);
  }
  return found;
}

}  // namespace entune
