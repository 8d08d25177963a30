#pragma once

#include <map>
#include <string>
#include <vector>

#include "trainer/recipe/recipe.h"
#include "trainer/recipe/schema.h"
#include "trainer/recipe/yaml_node.h"

namespace entune {

/// The value of every key of the schema, each checked by itself, and where it came from.
class Settings {
 public:
  explicit Settings(std::string file) : file_(std::move(file)) {}

  /// Takes all keys of a recipe file's document.
  void read_document(const YamlNode& document);
  /// Takes "a.b=value" of the command line; it wins over the file. `study.KEY=[...]` changes one axis of the study. A
  /// key that was given on the command line before is refused.
  void apply_override(const std::string& text);
  void set(const KeySpec& key, YamlNode value);
  /// Refuses missing keys and overrides that the study would hide, and gives every other key its default.
  void complete();

  const YamlNode& value(std::string_view key) const;
  /// "default", "file:line:column" or "command line".
  const std::string& origin(std::string_view key) const;
  /// The start of an error about this key: its place, or the file for a default.
  std::string where(std::string_view key) const;
  const std::string& file() const { return file_; }

  std::vector<ResolvedKey> keys() const;
  /// A recipe file that gives the same settings.
  std::string to_yaml() const;

 private:
  void take(const KeySpec& key, YamlNode value);
  void read_section(const std::string& section, const YamlNode& node);
  void set_default(std::string_view key, const std::string& yaml);
  void set_study_axis(const std::string& axis, YamlNode values);
  bool is_none(std::string_view key) const;

  std::string file_;
  std::map<std::string, YamlNode, std::less<>> values_;
};

}  // namespace entune
