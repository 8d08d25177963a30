#include "trainer/recipe/yaml_node.h"

#include <fmt/format.h>
#include <utf8.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_set>

#include "data/input_error.h"
#include "data/shown_name.h"

namespace entune {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxDepth = 32;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F;
}

/// Turns yaml-cpp's marks (from 0, columns in bytes) into places that an editor shows.
class Source {
 public:
  Source(std::string_view text, std::string name, bool positions) : name_(std::move(name)), positions_(positions) {
    std::size_t start = 0;
    while (true) {
      const std::size_t end = text.find('\n', start);
      lines_.push_back(text.substr(start, end == std::string_view::npos ? end : end - start));
      if (end == std::string_view::npos) break;
      start = end + 1;
    }
  }

  std::string place(const YAML::Mark& mark) const {
    return place(static_cast<std::size_t>(std::max(mark.line, 0)), static_cast<std::size_t>(std::max(mark.column, 0)));
  }
  std::string place(std::size_t line, std::size_t byte) const {
    if (!positions_) return name_;
    std::size_t column = byte;
    if (line < lines_.size()) {
      const std::string_view before = lines_[line].substr(0, byte);
      const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
      column -= static_cast<std::size_t>(std::count_if(before.begin(), before.end(), continues));
    }
    return fmt::format("{}:{}:{}", name_, line + 1, column + 1);
  }
  std::string place_of_byte(std::string_view text, std::size_t byte) const {
    const std::string_view before = text.substr(0, byte);
    const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return place(static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')), byte - line_start);
  }

 private:
  std::string name_;
  bool positions_;
  std::vector<std::string_view> lines_;
};

/// Builds the tree from yaml-cpp's events: there anchors, aliases, tags and duplicate keys are still visible, and
/// quoted text is not yet the same as plain text.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const Source& source) : source_(source) { root_.where = source.place(0, 0); }

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (num_documents_++ > 0) fail(mark, "a second document: a recipe is one YAML document; remove the line '---'");
  }
  void OnDocumentEnd() override {}

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "an alias (*name): recipes have no anchors and aliases; write the value out");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, make(YamlNode::Kind::null, mark, "?", anchor));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = make(YamlNode::Kind::scalar, mark, tag, anchor);
    if (std::any_of(value.begin(), value.end(), is_control)) fail(mark, "an escaped control character; remove it");
    node.scalar = value;
    node.quoted = tag == "!";
    add(mark, std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, make(YamlNode::Kind::sequence, mark, tag, anchor));
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, make(YamlNode::Kind::map, mark, tag, anchor));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    YamlNode node;
    YAML::Mark mark;
    bool key_is_next;
    std::unordered_set<std::string> names;
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    throw InputError(source_.place(mark) + ": " + what);
  }

  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) {
      fail(mark, "an anchor (&name): recipes have no anchors and aliases; write the value out");
    }
    if (!tag.empty() && tag != "?" && tag != "!") fail(mark, "a tag (!name): recipes have no tags; remove it");
    YamlNode node;
    node.kind = kind;
    node.where = source_.place(mark);
    return node;
  }

  void open(const YAML::Mark& mark, YamlNode node) {
    if (levels_.size() == kMaxDepth) fail(mark, fmt::format("nested deeper than {} levels", kMaxDepth));
    if (!levels_.empty() && levels_.back().node.kind == YamlNode::Kind::map && levels_.back().key_is_next) {
      fail(mark, "a list or a mapping in the place of a key (is a bracket not closed?); keys are plain text");
    }
    levels_.push_back({std::move(node), mark, true, {}});
  }

  void close() {
    YamlNode node = std::move(levels_.back().node);
    const YAML::Mark mark = levels_.back().mark;
    levels_.pop_back();
    add(mark, std::move(node));
  }

  void add(const YAML::Mark& mark, YamlNode node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == YamlNode::Kind::sequence) {
      level.node.items.push_back(std::move(node));
    } else if (level.key_is_next) {
      if (node.kind != YamlNode::Kind::scalar) fail(mark, "a key that is empty or null; keys are plain text");
      if (node.scalar == "<<") fail(mark, "a merge key (<<): recipes have no merge keys; write the values out");
      if (!level.names.insert(node.scalar).second) {
        const auto first = std::find_if(level.node.keys.begin(), level.node.keys.end(),
                                        [&](const YamlNode::Key& key) { return key.name == node.scalar; });
        fail(mark,
             fmt::format("key '{}' a second time (first at {}); keep one", shown_name(node.scalar), first->where));
      }
      level.node.keys.push_back({std::move(node.scalar), std::move(node.where)});
      level.key_is_next = false;
    } else {
      // Nothing after a key has its mark at the next token, maybe lines below.
      if (node.kind == YamlNode::Kind::null) node.where = level.node.keys.back().where;
      level.node.items.push_back(std::move(node));
      level.key_is_next = true;
    }
  }

  const Source& source_;
  int num_documents_ = 0;
  YamlNode root_;
  std::vector<Level> levels_;
};

void check_characters(std::string_view text, const Source& source) {
  const auto invalid = utf8::find_invalid(text.begin(), text.end());
  if (invalid != text.end()) {
    throw InputError(source.place_of_byte(text, static_cast<std::size_t>(invalid - text.begin())) +
                     ": expected UTF-8, found an invalid byte; save the file as UTF-8");
  }
  const auto control = std::find_if(text.begin(), text.end(), is_control);
  if (control != text.end()) {
    throw InputError(fmt::format("{}: a control character (byte 0x{:02X}); remove it",
                                 source.place_of_byte(text, static_cast<std::size_t>(control - text.begin())),
                                 static_cast<unsigned char>(*control)));
  }
}

YamlNode parse(std::string text, const Source& source) {
  check_characters(text, source);
  std::istringstream stream(std::move(text));
  TreeBuilder builder(source);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw InputError(source.place(error.mark) + ": not valid YAML: " + error.msg);
  }
  return builder.take();
}

/// Whether plain (unquoted) text is read as the same text everywhere in a flow collection, and never as null.
bool is_safe_plain(const std::string& text) {
  const auto is_safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '/' || c == '-' || c == '+';
  };
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), is_safe) && text != "null" &&
         text != "Null" && text != "NULL";
}

std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      default:
        quoted += c;
    }
  }
  return quoted + '"';
}

bool looks_like_a_value(const std::string& text) {
  return text == "true" || text == "false" || (text.find_first_of("0123456789") < 2 && !text.empty());
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].name == key) return &items[i];
  }
  return nullptr;
}

YamlNode parse_yaml(const std::string& text, const std::string& file) {
  if (text.size() > kMaxBytes) {
    throw InputError(fmt::format("{}: expected a recipe of at most 1 MiB, found {} bytes", file, text.size()));
  }
  const std::string body = text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
  const Source source(body, file, true);
  return parse(body, source);
}

YamlNode parse_yaml_value(const std::string& text, const std::string& key) {
  const Source source(text, "command line", false);
  try {
    return parse(text, source);
  } catch (const InputError& error) {
    constexpr std::string_view prefix = "command line";
    throw InputError(fmt::format("command line: {}{}", key, std::string_view(error.what()).substr(prefix.size())));
  }
}

std::string to_flow(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "null";
    case YamlNode::Kind::scalar: {
      // A plain number with a sign in front is no text that needs quotes.
      const bool negative = !node.quoted && node.scalar.size() > 1 && node.scalar.front() == '-' &&
                            is_safe_plain(node.scalar.substr(1)) && looks_like_a_value(node.scalar);
      if (negative || (is_safe_plain(node.scalar) && !(node.quoted && looks_like_a_value(node.scalar)))) {
        return node.scalar;
      }
      return quote(node.scalar);
    }
    case YamlNode::Kind::sequence: {
      std::string text;
      for (const YamlNode& item : node.items) text += (text.empty() ? "" : ", ") + to_flow(item);
      return "[" + text + "]";
    }
    case YamlNode::Kind::map: {
      std::string text;
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        const std::string& name = node.keys[i].name;
        text += (text.empty() ? "" : ", ") + (is_safe_plain(name) ? name : quote(name)) + ": " + to_flow(node.items[i]);
      }
      return "{" + text + "}";
    }
  }
  return {};
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar: {
      constexpr std::size_t kMaxShown = 60;
      if (node.scalar.size() > kMaxShown || node.scalar.find('\n') != std::string::npos) {
        return fmt::format("a text of {} bytes", node.scalar.size());
      }
      return node.quoted ? "the quoted text '" + node.scalar + "'" : "'" + node.scalar + "'";
    }
    case YamlNode::Kind::sequence:
      return fmt::format("a list of {}", node.items.size());
    case YamlNode::Kind::map:
      return node.items.empty() ? "an empty mapping" : fmt::format("a mapping with '{}'", node.keys.front().name);
  }
  return {};
}

}  // namespace entune
