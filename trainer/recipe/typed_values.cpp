#include "trainer/recipe/typed_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "data/input_error.h"
#include "data/shown_name.h"

namespace entune {
namespace {

using Kind = YamlNode::Kind;

[[noreturn]] void fail(const KeySpec& key, const YamlNode& node, const std::string& expected) {
  throw InputError(fmt::format("{}: {}: expected {}, found {}", node.where, key.path, expected, describe(node)));
}
[[noreturn]] void refuse(const KeySpec& key, const std::string& where, const std::string& why) {
  throw InputError(fmt::format("{}: {}: {}", where, key.path, why));
}

bool is_word(const KeySpec& key, const YamlNode& node) {
  return node.kind == Kind::scalar &&
         std::find(key.choices.begin(), key.choices.end(), node.scalar) != key.choices.end();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "010", "-007", "0x1f", "0o17": what some YAML readers take for octal or hexadecimal.
void refuse_other_bases(const KeySpec& key, const YamlNode& node) {
  std::string_view text = node.scalar;
  if (node.kind != Kind::scalar || node.quoted || text.empty()) return;
  if (text.front() == '-' || text.front() == '+') text.remove_prefix(1);
  if (text.size() < 2 || text[0] != '0') return;
  const std::string_view base = is_digit(text[1])                  ? "could be decimal or octal"
                                : text[1] == 'x' || text[1] == 'X' ? "is hexadecimal"
                                : text[1] == 'o'                   ? "is octal"
                                : text[1] == 'b'                   ? "is binary"
                                                                   : "";
  if (base.empty()) return;
  refuse(key, node.where, fmt::format("'{}' {}; write a decimal number without leading zeros", node.scalar, base));
}

std::optional<std::int64_t> decimal_integer(const YamlNode& node) {
  if (node.kind != Kind::scalar || node.quoted) return std::nullopt;
  std::string_view text = node.scalar;
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> decimal_number(const YamlNode& node) {
  if (node.kind != Kind::scalar || node.quoted) return std::nullopt;
  std::string_view text = node.scalar;
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return std::nullopt;  // nan, inf
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool is_inside(const ValueRange& range, double value) {
  return (range.above_least ? value > range.least : value >= range.least) &&
         (range.below_most ? value < range.most : value <= range.most);
}

std::string describe_range(const ValueRange& range) {
  std::string text;
  if (range.least != ValueRange{}.least)
    text = fmt::format(" {} {}", range.above_least ? "above" : "of at least", range.least);
  if (range.most != ValueRange{}.most) {
    text += fmt::format("{} {} {}", text.empty() ? "" : " and", range.below_most ? "below" : "at most", range.most);
  }
  return text;
}

std::string or_words(const KeySpec& key) {
  return key.choices.empty() ? "" : fmt::format(" or {}", fmt::join(key.choices, ", "));
}

double number_in_range(const KeySpec& key, const YamlNode& node) {
  refuse_other_bases(key, node);
  const std::optional<double> value = decimal_number(node);
  if (!value || !is_inside(key.range, *value)) fail(key, node, "a number" + describe_range(key.range));
  return *value;
}

const YamlNode& expect(const KeySpec& key, const YamlNode& node, Kind kind, const std::string& expected) {
  if (node.kind != kind) fail(key, node, expected);
  return node;
}

std::vector<std::string> read_list(const KeySpec& key, const YamlNode& node) {
  const std::string expected =
      key.choices.empty() ? "a list of names" : fmt::format("a list of {}", fmt::join(key.choices, ", "));
  std::vector<std::string> names;
  for (const YamlNode& item : expect(key, node, Kind::sequence, expected).items) {
    if (item.kind != Kind::scalar) fail(key, item, "a name in the list");
    if (!key.choices.empty() && !is_word(key, item))
      fail(key, item, fmt::format("one of {}", fmt::join(key.choices, ", ")));
    if (std::find(names.begin(), names.end(), item.scalar) != names.end()) {
      refuse(key, item.where, fmt::format("'{}' stands in the list twice; keep one", item.scalar));
    }
    names.push_back(item.scalar);
  }
  return names;
}

/// One of the words that a member of a mapping may have.
std::string member_word(const KeySpec& key, const YamlNode& node, std::string_view member,
                        const std::vector<std::string_view>& words) {
  if (node.kind != Kind::scalar || std::find(words.begin(), words.end(), node.scalar) == words.end()) {
    fail(key, node, fmt::format("{} as one of {}", member, fmt::join(words, ", ")));
  }
  return node.scalar;
}

std::string non_empty_text(const KeySpec& key, const YamlNode& node, const std::string& expected) {
  if (node.kind != Kind::scalar || node.scalar.empty()) fail(key, node, expected);
  return node.scalar;
}

/// The node by its contents alone: neither quotes nor places count.
std::string contents_of(const YamlNode& node) {
  std::string text = fmt::format("{}{}:{}", static_cast<int>(node.kind), node.scalar.size(), node.scalar);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    if (node.kind == Kind::map) text += fmt::format("{}:{}", node.keys[i].name.size(), node.keys[i].name);
    text += contents_of(node.items[i]);
  }
  return fmt::format("({})", text);
}

std::string sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string same_path(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  if (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

/// One text for all spellings of a checked value: 0 and 0.0, `all` and the list of all.
std::string meaning_of(const KeySpec& key, const YamlNode& node) {
  switch (key.type) {
    case ValueType::text:
    case ValueType::boolean:
    case ValueType::interval:
    case ValueType::study:
      break;
    case ValueType::path:
      return same_path(node.scalar);
    case ValueType::integer: {
      const std::optional<std::int64_t> value = read_integer(key, node);
      return value ? std::to_string(*value) : node.scalar;
    }
    case ValueType::number:
      return fmt::format("{}", read_number(key, node) + 0.0);  // -0.0 + 0.0 is 0.0
    case ValueType::number_pair: {
      const auto pair = read_number_pair(key, node);
      return fmt::format("{}, {}", pair[0] + 0.0, pair[1] + 0.0);
    }
    case ValueType::names:
      return sorted(read_names(key, node));
    case ValueType::targets:
      return sorted(read_targets(key, node));
    case ValueType::data_file: {
      const std::optional<DataFile> file = read_data_file(key, node);
      return file ? fmt::format("{} {} {}", same_path(file->path), file->reader, file->scheme) : "none";
    }
    case ValueType::split_size: {
      const SplitSize size = read_split_size(key, node);
      return fmt::format("{} {} {}", static_cast<int>(size.kind), size.count, size.fraction);
    }
    case ValueType::labels:
    case ValueType::label_map:
    case ValueType::prompt:
      break;
  }
  if (const std::optional<double> number = decimal_number(node); number && key.type == ValueType::interval)
    return fmt::format("{}", *number);
  return contents_of(node);
}

}  // namespace

void check_members(const KeySpec& key, const YamlNode& node, const std::vector<std::string>& members) {
  for (const YamlNode::Key& name : node.keys) {
    if (std::find(members.begin(), members.end(), name.name) != members.end()) continue;
    const std::string near = nearest(name.name, members);
    refuse(key, name.where,
           near.empty()
               ? fmt::format("unknown member '{}'; there are {}", shown_name(name.name), fmt::join(members, ", "))
               : fmt::format("unknown member '{}'; did you mean '{}'?", name.name, near));
  }
}

std::string read_text(const KeySpec& key, const YamlNode& node) {
  if (key.type == ValueType::text && !key.choices.empty()) {
    if (!is_word(key, node)) fail(key, node, fmt::format("one of {}", fmt::join(key.choices, ", ")));
    return node.scalar;
  }
  return non_empty_text(key, node, key.type == ValueType::path ? "a path" + or_words(key) : "a text");
}

bool read_boolean(const KeySpec& key, const YamlNode& node) {
  if (node.kind != Kind::scalar || node.quoted || (node.scalar != "true" && node.scalar != "false")) {
    fail(key, node, "true or false");
  }
  return node.scalar == "true";
}

std::optional<std::int64_t> read_integer(const KeySpec& key, const YamlNode& node) {
  if (is_word(key, node)) return std::nullopt;
  refuse_other_bases(key, node);
  const std::optional<std::int64_t> value = decimal_integer(node);
  if (!value || !is_inside(key.range, static_cast<double>(*value))) {
    fail(key, node, "an integer" + describe_range(key.range) + or_words(key));
  }
  return value;
}

double read_number(const KeySpec& key, const YamlNode& node) { return number_in_range(key, node); }

std::array<double, 2> read_number_pair(const KeySpec& key, const YamlNode& node) {
  if (node.kind != Kind::sequence || node.items.size() != 2) fail(key, node, "a list of two numbers");
  return {number_in_range(key, node.items[0]), number_in_range(key, node.items[1])};
}

std::vector<std::string> read_names(const KeySpec& key, const YamlNode& node) { return read_list(key, node); }

std::vector<std::string> read_targets(const KeySpec& key, const YamlNode& node) {
  if (node.kind == Kind::scalar && node.scalar == "all") return {key.choices.begin(), key.choices.end()};
  if (node.kind != Kind::sequence || node.items.empty()) {
    fail(key, node, fmt::format("all, or a list of {}", fmt::join(key.choices, ", ")));
  }
  return read_list(key, node);
}

std::optional<DataFile> read_data_file(const KeySpec& key, const YamlNode& node) {
  DataFile file;
  if (node.kind == Kind::scalar) {
    if (node.scalar == "none") return std::nullopt;
    file.path = non_empty_text(key, node, "a path");
    return file;
  }
  expect(key, node, Kind::map, "a path, {path, reader, scheme} or none");
  check_members(key, node, {"path", "reader", "scheme"});
  const YamlNode* path = node.find("path");
  if (path == nullptr) fail(key, node, "a member 'path'");
  file.path = non_empty_text(key, *path, "a path");
  if (const YamlNode* reader = node.find("reader")) {
    file.reader = member_word(key, *reader, "reader", {"auto", "jsonl", "presidio", "conll"});
  }
  if (const YamlNode* scheme = node.find("scheme")) {
    file.scheme = member_word(key, *scheme, "scheme", {"iob1", "iob2", "bioes"});
    const bool is_conll = file.reader == "conll" ||
                          (file.reader == "auto" && !file.path.ends_with(".jsonl") && !file.path.ends_with(".json"));
    if (!is_conll) refuse(key, scheme->where, "scheme is for CoNLL files alone; remove it, or set reader: conll");
  }
  return file;
}

SplitSize read_split_size(const KeySpec& key, const YamlNode& node) {
  if (node.kind == Kind::scalar && node.scalar == "none") return {SplitSize::Kind::none};
  if (node.kind == Kind::scalar && node.scalar == "rest") return {SplitSize::Kind::rest};
  refuse_other_bases(key, node);
  if (const auto count = decimal_integer(node); count && *count >= 0 && *count <= 1'000'000'000'000) {
    return *count == 0 ? SplitSize{SplitSize::Kind::none} : SplitSize{.kind = SplitSize::Kind::count, .count = *count};
  }
  if (const auto fraction = decimal_number(node);
      fraction && !decimal_integer(node) && *fraction > 0 && *fraction < 1) {
    return {.kind = SplitSize::Kind::fraction, .fraction = *fraction};
  }
  fail(key, node, "a count, a fraction between 0 and 1, rest or none");
}

Frequency read_frequency(const KeySpec& key, const YamlNode& node) {
  if (node.kind == Kind::scalar && node.scalar == "none") return {Frequency::Kind::none};
  if (node.kind == Kind::scalar && node.scalar == "epoch") return {Frequency::Kind::epoch};
  refuse_other_bases(key, node);
  const auto steps = decimal_integer(node);
  if (!steps || *steps < 1) fail(key, node, "epoch, none or a number of steps");
  return {Frequency::Kind::steps, *steps};
}

LabelList read_labels(const KeySpec& key, const YamlNode& node) {
  LabelList labels;
  expect(key, node, Kind::map, "a mapping from each label to its description");
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const std::string& name = node.keys[i].name;
    const auto is_allowed = [](char c) { return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; };
    if (name.empty() || name[0] < 'A' || name[0] > 'Z' || !std::all_of(name.begin(), name.end(), is_allowed)) {
      refuse(
          key, node.keys[i].where,
          fmt::format("expected a label of capital letters, digits and _ that begins with a letter, found '{}'", name));
    }
    labels.push_back({name, non_empty_text(key, node.items[i], fmt::format("a description of {}", name))});
  }
  if (labels.empty()) fail(key, node, "at least one label");
  return labels;
}

std::map<std::string, std::optional<std::string>> read_label_map(const KeySpec& key, const YamlNode& node) {
  std::map<std::string, std::optional<std::string>> map;
  expect(key, node, Kind::map, "a mapping from the data set's names to labels or null");
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    if (node.items[i].kind == Kind::null) {
      map[node.keys[i].name] = std::nullopt;
    } else {
      map[node.keys[i].name] = non_empty_text(key, node.items[i], "a label of 'labels', or null to drop it");
    }
  }
  return map;
}

PromptOptions read_prompt(const KeySpec& key, const YamlNode& node) {
  if (is_word(key, node)) return {.kind = node.scalar, .turns = {}};
  if (node.kind != Kind::sequence || node.items.empty()) {
    fail(key, node, fmt::format("{} or a list of {{role, text}}", fmt::join(key.choices, ", ")));
  }
  PromptOptions prompt{.kind = "turns", .turns = {}};
  for (const YamlNode& item : node.items) {
    expect(key, item, Kind::map, "a turn {role, text}");
    check_members(key, item, {"role", "text"});
    const YamlNode* role = item.find("role");
    const YamlNode* text = item.find("text");
    if (role == nullptr || text == nullptr) fail(key, item, "a turn with both role and text");
    const std::string word = member_word(key, *role, "role", {"system", "user", "assistant"});
    prompt.turns.push_back({word == "system" ? Role::system
                            : word == "user" ? Role::user
                                             : Role::assistant,
                            non_empty_text(key, *text, "the turn's text")});
  }
  return prompt;
}

std::vector<std::pair<std::string, std::vector<std::string>>> read_study(const KeySpec& key, const YamlNode& node) {
  std::vector<std::pair<std::string, std::vector<std::string>>> axes;
  if (node.kind == Kind::scalar && node.scalar == "none") return axes;
  expect(key, node, Kind::map, "a mapping from keys to lists of values");
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode::Key& axis = node.keys[i];
    const KeySpec* varied = find_key(axis.name);
    if (varied == nullptr) {
      refuse(key, axis.where,
             is_section(axis.name) ? fmt::format("'{}' is a section; name one of its keys: {}", axis.name,
                                                 fmt::join(names_in(axis.name), ", "))
                                   : unknown_key(axis.name));
    }
    if (varied->path == "study" || varied->path == "name" || varied->path == "output") {
      refuse(key, axis.where, fmt::format("'{}' belongs to the whole study and cannot vary", axis.name));
    }
    const YamlNode& values = node.items[i];
    if (values.kind != Kind::sequence || values.items.empty())
      fail(key, values, fmt::format("a list of values of {}", axis.name));
    std::vector<std::string> texts, meanings;
    for (const YamlNode& value : values.items) {
      check_value(*varied, value);
      texts.push_back(to_flow(value));
      const std::string meaning = meaning_of(*varied, value);
      const auto first = std::find(meanings.begin(), meanings.end(), meaning) - meanings.begin();
      if (static_cast<std::size_t>(first) < meanings.size()) {
        const std::string& spelled = texts[static_cast<std::size_t>(first)];
        refuse(key, value.where,
               fmt::format("'{}' stands in the list of {} twice{}; keep one", texts.back(), axis.name,
                           spelled == texts.back() ? "" : fmt::format(" (first as '{}')", spelled)));
      }
      meanings.push_back(meaning);
    }
    axes.emplace_back(axis.name, std::move(texts));
  }
  return axes;
}

void check_value(const KeySpec& key, const YamlNode& node) {
  switch (key.type) {
    case ValueType::text:
    case ValueType::path:
      read_text(key, node);
      break;
    case ValueType::boolean:
      read_boolean(key, node);
      break;
    case ValueType::integer:
      read_integer(key, node);
      break;
    case ValueType::number:
      read_number(key, node);
      break;
    case ValueType::number_pair:
      read_number_pair(key, node);
      break;
    case ValueType::names:
      read_names(key, node);
      break;
    case ValueType::targets:
      read_targets(key, node);
      break;
    case ValueType::data_file:
      read_data_file(key, node);
      break;
    case ValueType::split_size:
      read_split_size(key, node);
      break;
    case ValueType::interval:
      read_frequency(key, node);
      break;
    case ValueType::labels:
      read_labels(key, node);
      break;
    case ValueType::label_map:
      read_label_map(key, node);
      break;
    case ValueType::prompt:
      read_prompt(key, node);
      break;
    case ValueType::study:
      read_study(key, node);
      break;
  }
}

}  // namespace entune
