#include "data/formats/xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/code_points.h"
#include "data/formats/answer_text.h"
#include "data/formats/closed_labels.h"
#include "data/formats/inline_copy.h"
#include "data/formats/inline_grammar.h"

namespace entune {
namespace {

/// "<NAME>" or "</NAME>" at the bytes [begin, end) of a string.
struct Tag {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view name{};
  bool closes = false;
  bool is_known = false;
};

bool is_name_byte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/// All tags of the list, and all that look like tags of another label. A tag holds "<" and ">" only at its ends, so
/// that putting tags into a text cannot make further ones.
std::vector<Tag> scan_tags(std::string_view text, const ClosedLabels& labels) {
  std::vector<Tag> tags;
  for (std::size_t begin = text.find('<'); begin != text.npos; begin = text.find('<', begin + 1)) {
    Tag tag{.begin = begin};
    std::size_t at = begin + 1;
    tag.closes = at < text.size() && text[at] == '/';
    if (tag.closes) ++at;
    const std::size_t name_begin = at;
    while (at < text.size() && is_name_byte(text[at])) ++at;
    if (at == text.size() || text[at] != '>') continue;
    tag.name = text.substr(name_begin, at - name_begin);
    tag.end = at + 1;
    tag.is_known = labels.contains(tag.name);
    if (tag.is_known || looks_like_label(tag.name)) tags.push_back(tag);
  }
  return tags;
}

InlineMarks marks_of(const LabelList& labels) {
  InlineMarks marks;
  for (const Label& label : labels) {
    marks.openings.push_back(fmt::format("<{}>", label.name));
    marks.closings.push_back(fmt::format("</{}>", label.name));
  }
  return marks;
}

class XmlFormat final : public OutputFormat {
 public:
  explicit XmlFormat(const LabelList& labels) : list_(labels), labels_(labels) {}

  std::string_view name() const override { return "xml"; }

  std::optional<std::string> why_not(const Example& example) const override {
    if (auto reason = labels_.why_not(example)) return reason;
    if (any_overlap(example.entities)) return "entities overlap";
    if (holds_known_tag(example.text)) return "the text holds a tag of the label list";
    if (!reads_back(*this, example)) return "the answer does not read back as written";
    return std::nullopt;
  }

  std::string render(const Example& example) const override {
    return write_copy(example, [](std::string_view value, const std::string& label) {
      return fmt::format("<{0}>{1}</{0}>", label, value);
    });
  }

  ParsedAnswer parse(std::string_view answer, std::string_view input) const override {
    ParsedAnswer parsed;
    InlineCopy copy(valid_utf8(answer));
    if (const std::string copied = copied_characters(input, copy.answer);
        holds_known_tag(copied) && mark_by_grammar(InlineGrammar(marks_of(list_), list_, copied, {}), copy)) {
      read_copy(std::move(copy), input, parsed);
      return parsed;
    }
    std::set<std::string_view> tags_in_input;
    for (const Tag& tag : scan_tags(input, labels_)) tags_in_input.insert(input.substr(tag.begin, tag.end - tag.begin));

    std::vector<Tag> open;  // oldest first, at most kMaxOpenEntities
    std::map<std::string_view, std::int64_t> num_unknown_open;
    const std::string_view text = copy.answer;
    for (const Tag& tag : scan_tags(text, labels_)) {
      if (!tag.is_known) {
        if (tags_in_input.contains(text.substr(tag.begin, tag.end - tag.begin))) continue;
        copy.mark(tag.begin, tag.end);
        // A pair of unknown tags is one unknown label.
        std::int64_t& num_open = num_unknown_open[tag.name];
        if (!tag.closes) ++num_open;
        if (!tag.closes || num_open == 0) count(parsed, AnswerFault::unknown_label);
        if (tag.closes && num_open > 0) --num_open;
        continue;
      }
      copy.mark(tag.begin, tag.end);
      if (!tag.closes) {
        if (open.size() == kMaxOpenEntities) {
          open.erase(open.begin());
          count(parsed, AnswerFault::unbalanced);
        }
        open.push_back(tag);
        continue;
      }
      const auto found =
          std::find_if(open.rbegin(), open.rend(), [&](const Tag& other) { return other.name == tag.name; });
      if (found == open.rend() || found != open.rbegin()) count(parsed, AnswerFault::unbalanced);
      if (found == open.rend()) continue;
      copy.spans.push_back({std::string(tag.name), found->end, tag.begin});
      open.erase(std::next(found).base());
    }
    count(parsed, AnswerFault::unbalanced, static_cast<std::int64_t>(open.size()));
    read_copy(std::move(copy), input, parsed);
    return parsed;
  }

  std::unique_ptr<AnswerGrammar> grammar(std::string_view text, const TokenAlphabet& alphabet) const override {
    return std::make_unique<InlineGrammar>(marks_of(list_), list_, text, alphabet);
  }

  std::string instruction() const override {
    return "Answer with the whole text, copied exactly, and put each entity between the opening and the closing tag of "
           "its label, as in "
           "<LABEL>value</LABEL>. Change nothing else, and leave everything that is not an entity without tags.";
  }

  std::string explanation(const Example& example) const override {
    return fmt::format(
        "I copied the text unchanged and added nothing but tags. {}. Each stands between the opening and the closing "
        "tag of its label. Nothing else fits a label. Without the tags, my answer is the text again.",
        list_entities(example));
  }

 private:
  bool holds_known_tag(std::string_view text) const {
    const std::vector<Tag> tags = scan_tags(text, labels_);
    return std::any_of(tags.begin(), tags.end(), [](const Tag& tag) { return tag.is_known; });
  }

  LabelList list_;
  ClosedLabels labels_;
};

}  // namespace

std::unique_ptr<OutputFormat> make_xml_format(const LabelList& labels) { return std::make_unique<XmlFormat>(labels); }

}  // namespace entune
