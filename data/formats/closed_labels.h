#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"

namespace entune {

/// The label names that count. Everything else in a tag's place is either text or an unknown label.
class ClosedLabels {
 public:
  /// Throws InputError for an empty list, a repeated name, or a name that is not [A-Za-z][A-Za-z0-9_.-]*.
  explicit ClosedLabels(const LabelList& labels);

  bool contains(std::string_view name) const { return names_.find(name) != names_.end(); }
  /// What no format can carry: text that is not UTF-8, entities outside the text, empty, out of order or of another
  /// label.
  std::optional<std::string> why_not(const Example& example) const;

 private:
  std::set<std::string, std::less<>> names_;
};

/// Whether two of the entities, sorted as in Example, share a code point.
bool any_overlap(const std::vector<Entity>& entities);

/// [A-Z][A-Z0-9_]*: what is taken for a label's name, though an unknown one, where a tag could stand.
bool looks_like_label(std::string_view name);

}  // namespace entune
