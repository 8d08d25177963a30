#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entune {

/// Some strings by their beginnings. Nodes are numbers, 0 the root.
class SpellingTrie {
 public:
  explicit SpellingTrie(const std::vector<std::string>& spellings);

  /// The node that `byte` leads to, or -1.
  int child(int node, char byte) const;
  /// Which spelling ends at the node, or -1.
  int spelling(int node) const { return nodes_[static_cast<std::size_t>(node)].spelling; }
  /// The spellings that begin as the node does, its own included.
  const std::vector<int>& below(int node) const { return nodes_[static_cast<std::size_t>(node)].below; }
  /// The byte that all spellings below go on with, if there is one.
  std::optional<char> only_byte(int node) const;
  /// Bytes to the end of the longest spelling below.
  int bytes_left(int node) const;
  int depth(int node) const { return nodes_[static_cast<std::size_t>(node)].depth; }
  /// The spelling with which `text` begins, or -1. The longest of several.
  int found_at(std::string_view text) const;

 private:
  struct Node {
    std::vector<std::pair<char, int>> children{};
    int spelling = -1;
    int depth = 0;
    std::vector<int> below{};
  };
  std::vector<Node> nodes_;
  std::vector<int> lengths_;  // by spelling
};

}  // namespace entune
