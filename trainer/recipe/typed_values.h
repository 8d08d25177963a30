#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trainer/recipe/recipe.h"
#include "trainer/recipe/schema.h"
#include "trainer/recipe/yaml_node.h"

namespace entune {

/// Values by the rules of their key. All throw InputError "where: key: expected ..., found ...".
///
/// Only `true` and `false` are booleans; numbers are decimal without leading zeros, finite and unquoted; a text may
/// look like anything.
std::string read_text(const KeySpec& key, const YamlNode& node);
bool read_boolean(const KeySpec& key, const YamlNode& node);
std::optional<std::int64_t> read_integer(const KeySpec& key, const YamlNode& node);  ///< nullopt: the key's word (auto)
double read_number(const KeySpec& key, const YamlNode& node);
std::array<double, 2> read_number_pair(const KeySpec& key, const YamlNode& node);
std::vector<std::string> read_names(const KeySpec& key, const YamlNode& node);    ///< each once
std::vector<std::string> read_targets(const KeySpec& key, const YamlNode& node);  ///< at least one; all: every choice
std::optional<DataFile> read_data_file(const KeySpec& key, const YamlNode& node);
SplitSize read_split_size(const KeySpec& key, const YamlNode& node);
Frequency read_frequency(const KeySpec& key, const YamlNode& node);
LabelList read_labels(const KeySpec& key, const YamlNode& node);
std::map<std::string, std::optional<std::string>> read_label_map(const KeySpec& key, const YamlNode& node);
PromptOptions read_prompt(const KeySpec& key, const YamlNode& node);
/// Axes in file order, each value as YAML text. Every axis is a key, every value one that this key may have.
std::vector<std::pair<std::string, std::vector<std::string>>> read_study(const KeySpec& key, const YamlNode& node);

/// Throws InputError at the first member of a mapping that is none of `members`, with the nearest of them.
void check_members(const KeySpec& key, const YamlNode& node, const std::vector<std::string>& members);

/// Reads and drops the value.
void check_value(const KeySpec& key, const YamlNode& node);

}  // namespace entune
