#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace entune {

/// A labelled stretch of a text: the code points [start, end) of the text as given, never of a normalized copy.
struct Entity {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::string label;

  friend auto operator<=>(const Entity&, const Entity&) = default;
};

/// A text with its gold entities, sorted by (start, end, label), without duplicates.
struct Example {
  std::string id;    ///< unique within its corpus; the only thing of an example that logs may show
  std::string text;  ///< valid UTF-8, verbatim
  std::vector<Entity> entities;
  std::string group;  ///< examples of one group (template) are kept on one side of a split; empty: a group of its own

  friend bool operator==(const Example&, const Example&) = default;
};

/// One entry of the closed label list, in prompt order.
struct Label {
  std::string name;
  std::string description;

  friend bool operator==(const Label&, const Label&) = default;
};
using LabelList = std::vector<Label>;

}  // namespace entune
