#include "trainer/recipe/deidentify_policy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utf8.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

#include "data/deidentify/cryptography.h"
#include "data/input_error.h"
#include "trainer/recipe/typed_values.h"
#include "trainer/recipe/yaml_node.h"

namespace entune {
namespace {

using Kind = YamlNode::Kind;

/// A member of the policy as the readers of typed values want it; `path` must outlive it.
KeySpec member(std::string_view path, ValueType type, ValueRange range = {},
               std::vector<std::string_view> choices = {}) {
  return {.path = path, .type = type, .default_value = {}, .doc = {}, .range = range, .choices = std::move(choices)};
}

[[noreturn]] void refuse(const std::string& where, std::string_view path, const std::string& why) {
  throw InputError(fmt::format("{}: {}: {}", where, path, why));
}

std::string read_word(std::string_view path, const YamlNode& node, const std::vector<std::string_view>& words) {
  return read_text(member(path, ValueType::text, {}, words), node);
}

OperatorKind read_kind(std::string_view path, const YamlNode& node) {
  const std::vector<std::string>& names = operator_names();
  const auto found = std::find(names.begin(), names.end(), node.scalar);
  if (node.kind == Kind::scalar && found != names.end()) return static_cast<OperatorKind>(found - names.begin());
  const std::string near = node.kind == Kind::scalar ? nearest(node.scalar, names) : "";
  refuse(node.where, path,
         fmt::format("expected an operator, found {}; {}", describe(node),
                     near.empty() ? fmt::format("there are {}", fmt::join(names, ", "))
                                  : fmt::format("did you mean '{}'?", near)));
}

std::int64_t read_count(const std::string& path, const YamlNode& node, double least, double most) {
  return *read_integer(member(path, ValueType::integer, {.least = least, .most = most}), node);
}

/// The parameters that an operator has, beside its name.
std::vector<std::string> parameters_of(OperatorKind kind) {
  switch (kind) {
    case OperatorKind::replace:
      return {"value", "numbered"};
    case OperatorKind::mask:
      return {"char", "count", "from_end"};
    case OperatorKind::hash:
      return {"length"};
    case OperatorKind::date_shift:
      return {"day_first"};
    case OperatorKind::year_only:
      return {"oldest_year"};
    default:
      return {};
  }
}

Operator read_operator(const std::string& path, const YamlNode& node) {
  Operator what;
  if (node.kind != Kind::map) {
    what.kind = read_kind(path, node);
    return what;
  }
  const YamlNode* kind = node.find("operator");
  if (kind == nullptr) refuse(node.where, path, "expected an operator's name, or a mapping with `operator`");
  what.kind = read_kind(path + ".operator", *kind);
  std::vector<std::string> members = parameters_of(what.kind);
  members.insert(members.begin(), "operator");
  check_members(member(path, ValueType::text), node, members);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const std::string& name = node.keys[i].name;
    const YamlNode& value = node.items[i];
    const std::string at = path + "." + name;
    if (name == "value") what.value = read_text(member(at, ValueType::text), value);
    if (name == "numbered") what.numbered = read_boolean(member(at, ValueType::boolean), value);
    if (name == "from_end") what.from_end = read_boolean(member(at, ValueType::boolean), value);
    if (name == "day_first") what.day_first = read_boolean(member(at, ValueType::boolean), value);
    if (name == "length") what.length = read_count(at, value, 8, 64);
    if (name == "oldest_year") what.oldest_year = read_count(at, value, 1800, 2199);
    if (name == "count" && !(value.kind == Kind::scalar && value.scalar == "all"))
      what.count = read_count(at, value, 1, 1e6);
    if (name == "char") {
      what.character = read_text(member(at, ValueType::text), value);
      if (utf8::distance(what.character.begin(), what.character.end()) != 1)
        refuse(value.where, at, fmt::format("expected one character, found {}", describe(value)));
    }
  }
  if (what.numbered && what.value)
    refuse(node.where, path, "expected either `value` or `numbered`, found both; numbers stand in <LABEL_1> alone");
  return what;
}

/// Never shows what stands there: it may be a key.
KeySource read_key(const YamlNode& node) {
  const std::string expected = "expected {file: PATH} or {env: NAME}; a key itself never stands in a policy";
  if (node.kind != Kind::map || node.items.size() != 1) refuse(node.where, "key", expected);
  const std::string& name = node.keys.front().name;
  const YamlNode& value = node.items.front();
  const bool is_key = value.scalar.size() >= kKeyBytes && from_hex(value.scalar);
  if ((name != "file" && name != "env") || value.kind != Kind::scalar || value.scalar.empty() || is_key)
    refuse(node.where, "key", expected);
  const auto in_a_name = [](unsigned char c) { return c < 0x80 && (std::isalnum(c) != 0 || c == '_'); };
  if (name == "env" && (!std::all_of(value.scalar.begin(), value.scalar.end(), in_a_name) ||
                        std::isdigit(static_cast<unsigned char>(value.scalar[0])) != 0))
    refuse(value.where, "key.env", "expected the name of a variable: letters, digits and _");
  return name == "file" ? KeySource{value.scalar, "", value.where} : KeySource{"", value.scalar, value.where};
}

}  // namespace

DeidentificationPolicy load_policy(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream || std::filesystem::is_directory(file))
    throw InputError(fmt::format("{}: expected a policy (YAML), found no file that can be read", file.string()));
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const YamlNode root = parse_yaml(text, file.string());
  if (root.kind != Kind::map) {
    throw InputError(fmt::format(
        "{}: expected a mapping with default, labels, scope, snap and key, found something else", root.where));
  }
  check_members(member("policy", ValueType::text), root, {"scope", "snap", "key", "default", "labels"});
  DeidentificationPolicy policy;
  policy.sha256 = to_hex(sha256(text));
  if (const YamlNode* scope = root.find("scope")) {
    policy.scope = read_word("scope", *scope, {"document", "dataset"}) == "document" ? PseudonymScope::document
                                                                                     : PseudonymScope::dataset;
  }
  if (const YamlNode* snap = root.find("snap"))
    policy.snap_to_words = read_word("snap", *snap, {"words", "none"}) == "words";
  if (const YamlNode* key = root.find("key")) policy.key = read_key(*key);

  std::string keyed;  // where the first keyed operator stands
  const auto note = [&](const Operator& what, const std::string& where, const std::string& path) {
    if (keyed.empty() && is_keyed(what.kind)) keyed = fmt::format("{}: {}: {}", where, path, name_of(what.kind));
  };
  if (const YamlNode* fallback = root.find("default")) {
    policy.fallback = read_operator("default", *fallback);
    if (!removes_all(policy.fallback)) {
      refuse(fallback->where, "default",
             fmt::format("expected an operator that leaves nothing of a value, found '{}'{}; name the labels that may "
                         "stay under `labels`",
                         name_of(policy.fallback.kind), policy.fallback.count ? " of a part" : ""));
    }
    note(policy.fallback, fallback->where, "default");
  }
  if (const YamlNode* labels = root.find("labels")) {
    if (labels->kind != Kind::map)
      refuse(labels->where, "labels",
             fmt::format("expected a mapping from labels to operators, found {}", describe(*labels)));
    for (std::size_t i = 0; i < labels->items.size(); ++i) {
      const std::string path = "labels." + labels->keys[i].name;
      const Operator what = read_operator(path, labels->items[i]);
      note(what, labels->items[i].where, path);
      policy.labels[labels->keys[i].name] = what;
    }
  }
  if (!keyed.empty() && !policy.key)
    throw InputError(keyed + " needs a key; add `key: {file: PATH}` or `key: {env: NAME}`");
  return policy;
}

}  // namespace entune
