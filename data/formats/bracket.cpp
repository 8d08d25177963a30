#include "data/formats/bracket.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "data/code_points.h"
#include "data/formats/answer_text.h"
#include "data/formats/closed_labels.h"
#include "data/formats/inline_copy.h"
#include "data/formats/inline_grammar.h"

namespace entune {
namespace {

constexpr std::string_view kBar = " | ";

/// " | NAME]" at the bytes [begin, end) of a string.
struct Ending {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view name{};
  bool is_known = false;
};

/// The endings of listed labels, and those that look like endings of another one, in order. Each has exactly one "]",
/// its last byte.
std::vector<Ending> scan_endings(std::string_view text, const ClosedLabels& labels) {
  std::vector<Ending> endings;
  for (std::size_t bar = text.find(kBar); bar != text.npos; bar = text.find(kBar, bar + 1)) {
    const std::size_t name_begin = bar + kBar.size();
    const std::size_t name_end = text.find_first_of("] ", name_begin);
    if (name_end == text.npos) break;
    if (text[name_end] != ']') continue;
    const std::string_view name = text.substr(name_begin, name_end - name_begin);
    const bool is_known = labels.contains(name);
    if (is_known || looks_like_label(name)) endings.push_back({bar, name_end + 1, name, is_known});
  }
  return endings;
}

InlineMarks marks_of(const LabelList& labels) {
  InlineMarks marks{.openings = {"["}, .closings = {}, .pairs_brackets = true};
  for (const Label& label : labels) marks.closings.push_back(fmt::format("{}{}]", kBar, label.name));
  return marks;
}

class BracketFormat final : public OutputFormat {
 public:
  explicit BracketFormat(const LabelList& labels) : list_(labels), labels_(labels) {}

  std::string_view name() const override { return "bracket"; }

  std::optional<std::string> why_not(const Example& example) const override {
    if (auto reason = labels_.why_not(example)) return reason;
    if (any_overlap(example.entities)) return "entities overlap";
    if (holds_known_ending(example.text)) return "the text holds the ending of a bracketed entity";
    if (!reads_back(*this, example)) return "brackets in an entity do not pair up";
    return std::nullopt;
  }

  std::string render(const Example& example) const override {
    return write_copy(example, [](std::string_view value, const std::string& label) {
      return fmt::format("[{}{}{}]", value, kBar, label);
    });
  }

  ParsedAnswer parse(std::string_view answer, std::string_view input) const override {
    ParsedAnswer parsed;
    InlineCopy copy(valid_utf8(answer));
    if (const std::string copied = copied_characters(input, copy.answer);
        holds_known_ending(copied) && mark_by_grammar(InlineGrammar(marks_of(list_), list_, copied, {}), copy)) {
      read_copy(std::move(copy), input, parsed);
      return parsed;
    }
    const std::string_view text = copy.answer;
    std::set<std::string_view> endings_in_input;
    for (const Ending& e : scan_endings(input, labels_))
      endings_in_input.insert(input.substr(e.begin, e.end - e.begin));

    const std::vector<Ending> endings = scan_endings(text, labels_);
    auto ending = endings.begin();
    std::vector<std::size_t> open;  // the latest unpaired "[", at most kMaxOpenEntities
    for (std::size_t at = text.find_first_of("[]"); at != text.npos; at = text.find_first_of("[]", at + 1)) {
      if (text[at] == '[') {
        if (open.size() == kMaxOpenEntities) open.erase(open.begin());
        open.push_back(at);
        continue;
      }
      while (ending != endings.end() && ending->end < at + 1) ++ending;
      const bool is_ending =
          ending != endings.end() && ending->end == at + 1 &&
          (ending->is_known || !endings_in_input.contains(text.substr(ending->begin, at + 1 - ending->begin)));
      if (is_ending) {
        copy.mark(ending->begin, ending->end);
        if (!ending->is_known) count(parsed, AnswerFault::unknown_label);
        if (!open.empty()) {
          copy.mark(open.back(), open.back() + 1);
          if (ending->is_known) copy.spans.push_back({std::string(ending->name), open.back() + 1, ending->begin});
        } else {
          count(parsed, AnswerFault::unbalanced);
        }
      }
      if (!open.empty()) open.pop_back();
    }
    count(parsed, AnswerFault::unbalanced, surplus_openings(copy, input));
    read_copy(std::move(copy), input, parsed);
    return parsed;
  }

  std::unique_ptr<AnswerGrammar> grammar(std::string_view text, const TokenAlphabet& alphabet) const override {
    return std::make_unique<InlineGrammar>(marks_of(list_), list_, text, alphabet);
  }

  std::string instruction() const override {
    return "Answer with the whole text, copied exactly, and write each entity as [value | LABEL], with its value as in "
           "the text and its "
           "label from the list. Change nothing else, and leave everything that is not an entity without brackets.";
  }

  std::string explanation(const Example& example) const override {
    return fmt::format(
        "I copied the text unchanged and added nothing but brackets. {}. Each stands in brackets, with a bar and its "
        "label behind it. Nothing else fits a label. Without the additions, my answer is the text again.",
        list_entities(example));
  }

 private:
  bool holds_known_ending(std::string_view text) const {
    const std::vector<Ending> endings = scan_endings(text, labels_);
    return std::any_of(endings.begin(), endings.end(), [](const Ending& ending) { return ending.is_known; });
  }

  /// How many more "[" the copy has than the input: entities that were begun and not ended.
  static std::int64_t surplus_openings(const InlineCopy& copy, std::string_view input) {
    std::int64_t surplus = -std::count(input.begin(), input.end(), '[');
    for (std::size_t i = 0; i < copy.answer.size(); ++i) {
      if (copy.answer[i] == '[' && !copy.is_mark[i]) ++surplus;
    }
    return std::max<std::int64_t>(surplus, 0);
  }

  LabelList list_;
  ClosedLabels labels_;
};

}  // namespace

std::unique_ptr<OutputFormat> make_bracket_format(const LabelList& labels) {
  return std::make_unique<BracketFormat>(labels);
}

}  // namespace entune
