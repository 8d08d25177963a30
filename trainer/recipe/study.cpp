#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/input_error.h"
#include "trainer/recipe/load_recipe.h"

namespace entune {
namespace {

constexpr std::size_t kMaxCells = 1000;
constexpr std::size_t kMaxNameBytes = 40;  // of one value in a cell's name

struct Axis {
  const KeySpec* key;
  std::string short_name;
  const std::vector<YamlNode>* values;
  std::vector<std::string> value_names;
};

// A path is named by what lies there: model.path=models/a is "model=a".
std::string short_name(std::string_view key) {
  const std::string_view named = key.ends_with(".path") ? key.substr(0, key.rfind('.')) : key;
  return std::string(named.substr(named.rfind('.') + 1));
}

// The value where it is one short word, the last part of a path; "#2" for any other and for what is there twice.
std::vector<std::string> value_names(const std::vector<YamlNode>& values) {
  std::vector<std::string> names;
  for (const YamlNode& value : values) {
    const std::string text = to_flow(value);
    names.push_back(text.substr(text.find_last_of('/') + 1));
    const std::string& name = names.back();
    const bool is_word = value.kind == YamlNode::Kind::scalar && !name.empty() && name.size() <= kMaxNameBytes &&
                         text.front() != '"' && name.front() != '.';
    if (!is_word) names.back() = fmt::format("#{}", names.size());
  }
  const std::vector<std::string> all = names;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (std::count(all.begin(), all.end(), all[i]) > 1) names[i] = fmt::format("#{}", i + 1);
  }
  return names;
}

std::vector<Axis> axes_of(const YamlNode& study) {
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < study.items.size(); ++i) {
    const std::vector<YamlNode>& values = study.items[i].items;
    axes.push_back({find_key(study.keys[i].name), short_name(study.keys[i].name), &values, value_names(values)});
  }
  for (Axis& axis : axes) {
    const auto same = [&](const Axis& other) { return short_name(other.key->path) == short_name(axis.key->path); };
    if (std::count_if(axes.begin(), axes.end(), same) > 1) axis.short_name = axis.key->path;
  }
  return axes;
}

}  // namespace

std::vector<StudyCell> expand_study(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                                    const LoadOptions& options) {
  const Settings base = read_settings(file, overrides);
  const YamlNode study = base.value("study");
  const std::vector<Axis> axes = axes_of(study);
  if (axes.empty()) {
    LoadedRecipe loaded = finish_recipe(base, options);
    std::string name = loaded.recipe.name;
    return {StudyCell{std::move(name), {}, std::move(loaded)}};
  }
  std::size_t num_cells = 1;
  for (const Axis& axis : axes) {
    num_cells *= axis.values->size();
    if (num_cells > kMaxCells) {
      throw InputError(fmt::format("{}: study: expected at most {} cells, found more; shorten the lists",
                                   base.where("study"), kMaxCells));
    }
  }
  std::vector<StudyCell> cells;
  for (std::size_t cell = 0; cell < num_cells; ++cell) {
    Settings settings = base;
    StudyCell result;
    std::size_t stride = num_cells;
    for (const Axis& axis : axes) {
      stride /= axis.values->size();
      const std::size_t index = cell / stride % axis.values->size();
      const YamlNode& value = (*axis.values)[index];
      settings.set(*axis.key, value);
      result.name += fmt::format("{}{}={}", result.name.empty() ? "" : " ", axis.short_name, axis.value_names[index]);
      result.overrides.push_back(fmt::format("{}={}", axis.key->path, to_flow(value)));
    }
    settings.set(*find_key("study"), YamlNode{.kind = YamlNode::Kind::map, .where = "default"});
    try {
      result.loaded = finish_recipe(settings, options);
    } catch (const InputError& error) {
      throw InputError(fmt::format("{} (in the study's cell {}: {})", error.what(), cell, result.name));
    }
    cells.push_back(std::move(result));
  }
  return cells;
}

std::size_t find_cell(const std::vector<StudyCell>& cells, const std::string& wanted) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (wanted == std::to_string(i) || wanted == cells[i].name) return i;
    names.push_back(fmt::format("{} ({})", i, cells[i].name));
  }
  throw InputError(fmt::format("--cell: expected the number or the name of a cell, one of {}; found {}",
                               fmt::join(names, ", "), wanted));
}

}  // namespace entune
