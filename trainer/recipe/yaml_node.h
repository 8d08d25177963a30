#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace entune {

/// A YAML value as a recipe may hold it: no aliases, anchors or tags, no key twice. Knows where it stood.
struct YamlNode {
  enum class Kind { null, scalar, sequence, map };
  struct Key {
    std::string name;
    std::string where;
  };

  Kind kind = Kind::null;
  std::string scalar = {};           ///< of a scalar
  bool quoted = false;               ///< a scalar in quotes (or a block scalar) is text, whatever it looks like
  std::vector<YamlNode> items = {};  ///< of a sequence; of a map: the values
  std::vector<Key> keys = {};        ///< of a map: one per item, in file order
  std::string where = {};            ///< "file:line:column" (from 1; columns in code points), or "command line"

  /// The value of `key`, or nullptr.
  const YamlNode* find(std::string_view key) const;
};

/// Parses the one document of a recipe file. Throws InputError "file:line:column: ..." for what YAML or a recipe does
/// not allow: invalid UTF-8, control characters, more than 1 MiB, nesting deeper than 32, a second document, anchors,
/// aliases, tags, merge keys, duplicate keys, keys that are not plain text.
YamlNode parse_yaml(const std::string& text, const std::string& file);

/// Parses one value of the command line by the same rules; every place is "command line".
YamlNode parse_yaml_value(const std::string& text, const std::string& key);

/// The value on one line; parse_yaml_value gives it back.
std::string to_flow(const YamlNode& node);

/// What was found, for messages: "the text 'yes'", "a list of 3", "nothing". Long text is cut.
std::string describe(const YamlNode& node);

}  // namespace entune
