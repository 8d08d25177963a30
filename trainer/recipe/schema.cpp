#include "trainer/recipe/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/shown_name.h"

namespace entune {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

std::string below(std::string_view section) { return section.empty() ? std::string() : std::string(section) + "."; }

}  // namespace

const KeySpec* find_key(std::string_view path) {
  for (const KeySpec& key : schema()) {
    if (key.path == path) return &key;
  }
  return nullptr;
}

bool is_section(std::string_view path) {
  const std::string prefix = below(path);
  return std::any_of(schema().begin(), schema().end(),
                     [&](const KeySpec& key) { return key.path.starts_with(prefix); });
}

std::vector<std::string> names_in(std::string_view section) {
  const std::string prefix = below(section);
  std::vector<std::string> names;
  for (const KeySpec& key : schema()) {
    if (!key.path.starts_with(prefix)) continue;
    const std::string_view rest = key.path.substr(prefix.size());
    const std::string name(rest.substr(0, rest.find('.')));
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

std::string nearest(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    // A candidate of which nothing is left is not near, however short the names are.
    if (distance < least && distance < std::max(name.size(), candidate.size())) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string unknown_key(std::string_view path) {
  std::string section;
  std::string_view rest = path;
  while (true) {
    const std::string name(rest.substr(0, rest.find('.')));
    const std::string inner = below(section) + name;
    if (find_key(inner) != nullptr) {
      return fmt::format("unknown key '{}': {} is a value and has no keys of its own here", path, inner);
    }
    if (!is_section(inner) || rest.find('.') == std::string_view::npos) {
      const std::vector<std::string> names = names_in(section);
      // A slip on the way to a key: name the whole key.
      if (rest.size() > name.size()) {
        std::vector<std::string> keys;
        for (const KeySpec& key : schema()) keys.emplace_back(key.path);
        if (const std::string near = nearest(path, keys); !near.empty())
          return fmt::format("unknown key '{}'; did you mean '{}'?", path, near);
      }
      if (const std::string near = nearest(name, names); !near.empty()) {
        return fmt::format("unknown key '{}'; did you mean '{}{}'?", path, below(section), near);
      }
      // At the top, the file may be no recipe at all.
      return fmt::format("unknown key '{}'; {} {}", section.empty() ? shown_name(path) : std::string(path),
                         section.empty() ? "a recipe has" : section + " has", fmt::join(names, ", "));
    }
    section = inner;
    rest.remove_prefix(name.size() + 1);
  }
}

}  // namespace entune
