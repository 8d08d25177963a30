#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace entune {

/// How a key's value is written.
enum class ValueType {
  text,         ///< one of `choices`, or any text if there are none
  path,         ///< a file or a directory; the words in `choices` mean something else
  boolean,      ///< true | false
  integer,      ///< decimal; or a word of `choices`
  number,       ///< decimal, finite
  number_pair,  ///< a list of two
  names,        ///< a list of texts, each of `choices` if there are any
  targets,      ///< names, or the word all
  data_file,    ///< a path, {path, reader, scheme}, or none
  split_size,   ///< a count, a fraction in (0, 1), rest or none
  interval,     ///< epoch, none or a number of steps
  labels,       ///< a mapping from name to description
  label_map,    ///< a mapping from name to name or null
  prompt,       ///< a word of `choices` or a list of {role, text}
  study,        ///< a mapping from key to a list of values
};

struct ValueRange {
  double least = std::numeric_limits<double>::lowest();
  double most = std::numeric_limits<double>::max();
  bool above_least = false;  ///< `least` itself is outside
  bool below_most = false;   ///< `most` itself is outside
};

/// One key of a recipe.
struct KeySpec {
  std::string_view path;  ///< dotted
  ValueType type;
  std::string_view default_value;  ///< YAML; empty: required, or made from other keys (Settings::complete)
  std::string_view doc;
  ValueRange range = {};
  std::vector<std::string_view> choices = {};
};

/// Every key, in the order of recipes/reference.yaml.
const std::vector<KeySpec>& schema();

/// The key at this dotted path, or nullptr.
const KeySpec* find_key(std::string_view path);
/// Whether keys lie below this dotted path ("training.lora"); the empty path is the recipe itself.
bool is_section(std::string_view path);
/// The names directly below a section, in order.
std::vector<std::string> names_in(std::string_view section);
/// "unknown key 'training.epoch'; did you mean 'training.epochs'?", or with the section's list where nothing is near.
std::string unknown_key(std::string_view path);

/// The nearest of `candidates` by edit distance, or empty if none is near.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace entune
