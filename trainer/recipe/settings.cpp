#include "trainer/recipe/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "data/input_error.h"
#include "data/shown_name.h"
#include "trainer/recipe/typed_values.h"

namespace entune {
namespace {

using Kind = YamlNode::Kind;

constexpr std::string_view kDefault = "default";
constexpr std::string_view kCommandLine = "command line";

[[noreturn]] void refuse_second(std::string_view key) {
  throw InputError(fmt::format("command line: key '{}' a second time; keep one", key));
}

/// A mapping or a list of mappings reads better with an entry a line.
bool is_shown_in_lines(const YamlNode& node) {
  return !node.items.empty() && (node.kind == Kind::map || node.items.front().kind == Kind::map);
}

}  // namespace

void Settings::read_document(const YamlNode& document) {
  if (document.kind == Kind::null) throw InputError(file_ + ": expected a recipe, found nothing in the file");
  read_section("", document);
}

void Settings::read_section(const std::string& section, const YamlNode& node) {
  if (node.kind != Kind::map) {
    std::string names;
    for (const std::string& name : names_in(section)) names += (names.empty() ? "" : ", ") + name;
    const bool is_text = node.kind == Kind::scalar && section.empty();  // a file that is no recipe at all
    throw InputError(fmt::format("{}: {}expected a mapping with keys of {}, found {}", node.where,
                                 section.empty() ? "" : section + ": ", names, is_text ? "a text" : describe(node)));
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode::Key& key = node.keys[i];
    const std::string path = section.empty() ? key.name : section + "." + key.name;
    if (key.name.find('.') != std::string::npos) {
      throw InputError(
          fmt::format("{}: key '{}' with a dot: dotted keys are for study and the command line; in a file write one "
                      "level below the other",
                      key.where, shown_name(path)));
    }
    if (const KeySpec* spec = find_key(path)) {
      take(*spec, node.items[i]);
    } else if (!key.name.empty() && is_section(path)) {
      read_section(path, node.items[i]);
    } else {
      throw InputError(key.where + ": " + unknown_key(path));
    }
  }
}

void Settings::apply_override(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    throw InputError(fmt::format("command line: expected key=value, found '{}'", text));
  }
  const std::string path = text.substr(0, equals);
  YamlNode value = parse_yaml_value(text.substr(equals + 1), path);
  if (const KeySpec* spec = find_key(path)) {
    take(*spec, std::move(value));
  } else if (path.starts_with("study.")) {
    set_study_axis(path.substr(std::string_view("study.").size()), std::move(value));
  } else if (is_section(path)) {
    read_section(path, value);
  } else {
    throw InputError("command line: " + unknown_key(path));
  }
}

// The file's own duplicates are refused by the parser.
void Settings::take(const KeySpec& key, YamlNode value) {
  const auto found = values_.find(key.path);
  if (value.where == kCommandLine && found != values_.end() && found->second.where == kCommandLine)
    refuse_second(key.path);
  set(key, std::move(value));
}

void Settings::set(const KeySpec& key, YamlNode value) {
  check_value(key, value);
  values_.insert_or_assign(std::string(key.path), std::move(value));
}

void Settings::set_study_axis(const std::string& axis, YamlNode values) {
  if (values.kind != Kind::sequence) {
    YamlNode list{.kind = Kind::sequence, .items = {values}, .where = values.where};
    const KeySpec* varied = find_key(axis);
    values = values.kind == Kind::null || varied == nullptr ? values : list;
  }
  YamlNode study{.kind = Kind::map, .where = std::string(kCommandLine)};
  if (const auto found = values_.find("study"); found != values_.end() && found->second.kind == Kind::map) {
    study = found->second;
    study.where = kCommandLine;
  }
  const auto key = std::find_if(study.keys.begin(), study.keys.end(), [&](const auto& k) { return k.name == axis; });
  const auto index = static_cast<std::size_t>(key - study.keys.begin());
  if (key != study.keys.end()) {
    if (key->where == kCommandLine) refuse_second("study." + axis);
    key->where = kCommandLine;
    study.items[index] = std::move(values);
  } else {
    study.keys.push_back({axis, std::string(kCommandLine)});
    study.items.push_back(std::move(values));
  }
  set(*find_key("study"), std::move(study));
}

bool Settings::is_none(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() || (found->second.kind == Kind::scalar && found->second.scalar == "none");
}

void Settings::set_default(std::string_view key, const std::string& yaml) {
  if (values_.find(key) != values_.end()) return;
  YamlNode value = parse_yaml_value(yaml, std::string(key));
  value.where = kDefault;
  set(*find_key(key), std::move(value));
}

void Settings::complete() {
  for (const char* required : {"model.path", "data.train", "labels"}) {
    if (values_.find(required) == values_.end()) {
      throw InputError(fmt::format("{}: {} is missing: {}", file_, required, find_key(required)->doc));
    }
  }
  YamlNode stem{
      .kind = Kind::scalar, .scalar = std::filesystem::path(file_).stem().string(), .where = std::string(kDefault)};
  if (values_.find("name") == values_.end()) set(*find_key("name"), std::move(stem));
  set_default("output", "\"runs/" + value("name").scalar + "\"");
  // A side with a file of its own takes nothing from train; where both have one, all of train is for training.
  const bool is_split = !is_none("data.train");
  const bool own_validation = !is_none("data.validation");
  const bool own_test = !is_none("data.test");
  if (!is_split || own_validation) set_default("data.split.validation", "none");
  if (!is_split || own_test) set_default("data.split.test", "none");
  if (!is_split) set_default("data.split.train", "none");
  if (own_validation && own_test) set_default("data.split.train", "rest");
  for (const KeySpec& key : schema()) set_default(key.path, std::string(key.default_value));

  const YamlNode& study = value("study");
  for (const YamlNode::Key& axis : study.keys) {
    if (origin(axis.name) == kCommandLine) {
      throw InputError(
          fmt::format("command line: {0}: the study varies this key (at {1}), which would hide the value; give "
                      "study.{0}=[...], or study=none",
                      axis.name, axis.where));
    }
  }
}

const YamlNode& Settings::value(std::string_view key) const { return values_.find(key)->second; }

const std::string& Settings::origin(std::string_view key) const { return value(key).where; }

std::string Settings::where(std::string_view key) const { return origin(key) == kDefault ? file_ : origin(key); }

std::vector<ResolvedKey> Settings::keys() const {
  std::vector<ResolvedKey> keys;
  for (const KeySpec& key : schema()) {
    keys.push_back({std::string(key.path), to_flow(value(key.path)), origin(key.path)});
  }
  return keys;
}

std::string Settings::to_yaml() const {
  std::string yaml;
  std::vector<std::string> open;  // sections that the last key stood in
  for (const KeySpec& key : schema()) {
    std::vector<std::string> parts;
    for (std::string_view rest = key.path;;) {
      const std::size_t dot = rest.find('.');
      parts.emplace_back(rest.substr(0, dot));
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    const std::string name = parts.back();
    parts.pop_back();
    for (std::size_t depth = 0; depth < parts.size(); ++depth) {
      if (depth < open.size() && open[depth] == parts[depth]) continue;
      open.resize(depth);
      open.push_back(parts[depth]);
      yaml += std::string(2 * depth, ' ') + parts[depth] + ":\n";
    }
    open.resize(parts.size());
    const std::string indent(2 * parts.size(), ' ');
    const YamlNode& node = value(key.path);
    if (!is_shown_in_lines(node)) {
      yaml += indent + name + ": " + to_flow(node) + "\n";
      continue;
    }
    yaml += indent + name + ":\n";
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      YamlNode entry{.kind = node.kind, .items = {node.items[i]}};
      if (node.kind == Kind::map) entry.keys = {node.keys[i]};
      const std::string flow = to_flow(entry);  // "{NAME: value}" or "[value]"
      yaml += indent + (node.kind == Kind::map ? "  " : "  - ") + flow.substr(1, flow.size() - 2) + "\n";
    }
  }
  return yaml;
}

}  // namespace entune
