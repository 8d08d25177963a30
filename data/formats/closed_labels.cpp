#include "data/formats/closed_labels.h"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>

#include "data/code_points.h"
#include "data/input_error.h"

namespace entune {
namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name(std::string_view name) {
  return !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
  });
}

}  // namespace

ClosedLabels::ClosedLabels(const LabelList& labels) {
  if (labels.empty()) throw InputError("labels: expected at least one label, found none; list the labels to look for");
  for (const Label& label : labels) {
    if (!is_name(label.name)) {
      throw InputError(fmt::format(
          "labels: expected a name of ASCII letters, digits and _ . - that begins with a letter, found '{}'; rename it",
          label.name));
    }
    if (!names_.insert(label.name).second) {
      throw InputError(fmt::format("labels: expected each label once, found '{}' twice; remove one", label.name));
    }
  }
}

std::optional<std::string> ClosedLabels::why_not(const Example& example) const {
  if (!utf8::is_valid(example.text.begin(), example.text.end())) return "the text is not valid UTF-8";
  const std::int64_t size = CodePointIndex(example.text).size();
  for (const Entity& entity : example.entities) {
    if (entity.start < 0 || entity.end <= entity.start || entity.end > size)
      return "an entity is empty or outside the text";
    if (!contains(entity.label)) return "an entity has a label that is not in the list";
  }
  const auto in_order = [](const Entity& a, const Entity& b) { return !(a < b); };
  if (std::adjacent_find(example.entities.begin(), example.entities.end(), in_order) != example.entities.end()) {
    return "the entities are out of order or repeated";
  }
  return std::nullopt;
}

bool any_overlap(const std::vector<Entity>& entities) {
  return std::adjacent_find(entities.begin(), entities.end(),
                            [](const Entity& a, const Entity& b) { return b.start < a.end; }) != entities.end();
}

bool looks_like_label(std::string_view name) {
  return !name.empty() && is_upper(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_upper(c) || is_digit(c) || c == '_'; });
}

}  // namespace entune
