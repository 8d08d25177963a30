#include "data/formats/inline_grammar.h"

#include <utf8.h>

#include <algorithm>
#include <set>

#include "data/formats/writable_text.h"

namespace entune {
namespace {

/// Where each "[" of the text is closed, as a reader pairs them, and how deep its brackets nest; -1 where it is not
/// closed.
struct Brackets {
  std::vector<std::int32_t> closed_at, height;
};

Brackets pair_brackets(std::string_view text) {
  Brackets result{std::vector<std::int32_t>(text.size(), -1), std::vector<std::int32_t>(text.size(), 0)};
  std::vector<std::size_t> open;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '[') open.push_back(at);
    if (text[at] != ']' || open.empty()) continue;
    const std::size_t opened = open.back();
    open.pop_back();
    result.closed_at[opened] = static_cast<std::int32_t>(at);
    ++result.height[opened];
    if (!open.empty()) result.height[open.back()] = std::max(result.height[open.back()], result.height[opened]);
  }
  return result;
}

}  // namespace

InlineGrammar::InlineGrammar(const InlineMarks& marks, const LabelList& labels, std::string_view text,
                             const TokenAlphabet& alphabet)
    : text_(writable_text(text, alphabet)),
      drops_first_space_(alphabet.drops_first_space),
      text_bars_openings_(!marks.pairs_brackets),
      openings_(marks.openings),
      fewest_(fewest_tokens(text_, alphabet)) {
  for (const Label& label : labels) labels_.push_back(label.name);
  if (marks.openings.size() == 1 && marks.closings.size() > 1) {
    closings_.emplace_back(marks.closings);
  } else {
    for (const std::string& closing : marks.closings) closings_.emplace_back(std::vector{closing});
  }

  is_border_.assign(text_.size() + 1, 1);
  for (std::size_t at = 0; at < text_.size(); ++at)
    is_border_[at] = (static_cast<unsigned char>(text_[at]) & 0xC0) != 0x80;
  const Brackets brackets = marks.pairs_brackets ? pair_brackets(text_) : Brackets{};
  unit_end_.assign(text_.size(), -1);
  for (std::size_t at = 0; at < text_.size(); ++at) {
    if (!is_border_[at]) continue;
    const auto next = std::find(is_border_.begin() + static_cast<std::ptrdiff_t>(at) + 1, is_border_.end(), 1);
    unit_end_[at] = static_cast<std::int32_t>(next - is_border_.begin());
    if (!marks.pairs_brackets) continue;
    if (text_[at] == ']') unit_end_[at] = -1;
    if (text_[at] == '[') {
      const bool stays = brackets.closed_at[at] >= 0 && brackets.height[at] < static_cast<int>(kMaxOpenEntities);
      unit_end_[at] = stays ? brackets.closed_at[at] + 1 : -1;
    }
  }
  can_reach_close_.assign(text_.size() + 1, 1);
  for (std::int32_t at = size() - 1; at >= 0; --at) {
    const auto i = static_cast<std::size_t>(at);
    // Of several openings each has an ending at the text's end, which nothing bars.
    const bool closes = closings_.size() == 1 && can_close(at, 0);
    can_reach_close_[i] = closes || can_go_on(at);
  }
}

const SpellingTrie& InlineGrammar::closer(std::int32_t opening) const {
  return closings_[static_cast<std::size_t>(opening)];
}

/// The mark that cannot stand at `at`, as the text itself spells it there, or -1. At most one: none begins another.
int InlineGrammar::barred(const SpellingTrie& marks, std::int32_t at) const {
  return &marks == &openings_ && !text_bars_openings_ ? -1 : marks.found_at(from(at));
}

/// The first mark that goes on from `node` and may stand at `at`, or -1.
int InlineGrammar::first_mark(const SpellingTrie& marks, int node, std::int32_t at) const {
  const int no = barred(marks, at);
  const auto found = std::ranges::find_if(marks.below(node), [&](int index) { return index != no; });
  return found == marks.below(node).end() ? -1 : *found;
}

/// Whether some closing mark may stand at `at`.
bool InlineGrammar::can_close(std::int32_t at, std::int32_t opening) const {
  return is_border_[static_cast<std::size_t>(at)] && first_mark(closer(opening), 0, at) >= 0;
}

/// Whether an entity may take in what stands at `at` and be closed later.
bool InlineGrammar::can_go_on(std::int32_t at) const {
  if (at == size()) return false;
  const std::int32_t end = unit_end_[static_cast<std::size_t>(at)];
  return end >= 0 && can_reach_close_[static_cast<std::size_t>(end)];
}

GrammarPoint InlineGrammar::start() const { return {.phase = drops_first_space_ ? kLead : kOutside}; }

void InlineGrammar::advance(const GrammarPoint& point, char byte, GrammarPoints& next) const {
  if (point.phase == kLead) {
    if (byte == ' ') {
      next.push_back({.phase = kOutside});
    } else {
      outside({.phase = kOutside}, byte, next);
    }
  } else if (point.phase == kOutside) {
    outside(point, byte, next);
  } else if (point.phase == kInside) {
    inside(point, byte, next);
  } else {
    const SpellingTrie& marks = point.phase == kOpening ? openings_ : closer(point.label);
    const int node = marks.child(point.step, byte);
    if (node < 0 || first_mark(marks, node, point.at) < 0) return;
    if (marks.spelling(node) < 0) {
      GrammarPoint after = point;
      after.step = node;
      next.push_back(after);
    } else if (point.phase == kOpening) {
      next.push_back(
          {.phase = kInside, .at = point.at, .begin = point.at, .unit = point.at, .label = marks.spelling(node)});
    } else {
      next.push_back({.phase = kOutside, .at = point.at});
    }
  }
}

void InlineGrammar::outside(const GrammarPoint& point, char byte, GrammarPoints& next) const {
  const auto at = static_cast<std::size_t>(point.at);
  if (point.at < size() && text_[at] == byte) next.push_back({.phase = kOutside, .at = point.at + 1});
  if (!is_border_[at] || !can_go_on(point.at)) return;
  advance({.phase = kOpening, .at = point.at}, byte, next);
}

void InlineGrammar::inside(const GrammarPoint& point, char byte, GrammarPoints& next) const {
  const auto at = static_cast<std::size_t>(point.at);
  const bool is_free = point.at == point.unit;
  if (point.at < size() && text_[at] == byte && (!is_free || can_go_on(point.at))) {
    GrammarPoint after = point;
    ++after.at;
    if (is_free) after.unit = unit_end_[at];
    next.push_back(after);
  }
  if (!is_free || point.at == point.begin || !can_close(point.at, point.label)) return;
  GrammarPoint closing = point;
  closing.phase = kClosing;
  closing.step = 0;
  advance(closing, byte, next);
}

bool InlineGrammar::may_end(const GrammarPoint& point) const {
  return point.phase == kLead ? text_.empty() : point.phase == kOutside && point.at == size();
}

std::int32_t InlineGrammar::tokens_to_end(const GrammarPoint& point) const {
  const auto rest = [&](std::int32_t at) { return fewest_[static_cast<std::size_t>(at)]; };
  if (point.phase == kLead) return rest(0) + 1;
  if (point.phase == kOutside) return rest(point.at);

  if (point.phase == kClosing) return closer(point.label).bytes_left(point.step) + rest(point.at);
  // The entity ends at the first place where it may.
  const bool is_opening = point.phase == kOpening;
  const std::int32_t opening = is_opening ? first_mark(openings_, point.step, point.at) : point.label;
  const std::int32_t begin = is_opening ? point.at : point.begin;
  std::int32_t end = is_opening ? point.at : point.unit;
  while (end == begin || !can_close(end, opening)) end = unit_end_[static_cast<std::size_t>(end)];
  return (is_opening ? openings_.bytes_left(point.step) : 0) + end - point.at + closer(opening).bytes_left(0) +
         rest(end);
}

std::optional<char> InlineGrammar::likely_byte(const GrammarPoint& point) const {
  if (point.phase == kOpening) return openings_.only_byte(point.step);
  if (point.phase == kClosing) return closer(point.label).only_byte(point.step);
  if (point.phase == kInside && point.at == size()) return closer(point.label).only_byte(0);
  if (point.phase == kInside && point.at == point.unit && !can_go_on(point.at)) return closer(point.label).only_byte(0);
  if (point.at == size()) return std::nullopt;
  return point.phase == kLead ? ' ' : text_[static_cast<std::size_t>(point.at)];
}

/// Behind the words of the text that it ends with, outside of entities.
std::optional<GrammarPoint> InlineGrammar::resume_behind(std::string_view written) const {
  constexpr std::size_t kEnoughBytes = 8;
  if (written.size() < kEnoughBytes) return std::nullopt;
  const std::size_t found = text_.find(written.substr(written.size() - kEnoughBytes));
  if (found == std::string::npos || !is_border_[found + kEnoughBytes]) return std::nullopt;
  return GrammarPoint{.phase = kOutside, .at = static_cast<std::int32_t>(found + kEnoughBytes)};
}

std::optional<std::vector<InlineGrammar::Marked>> InlineGrammar::read(std::string_view answer) const {
  struct Step {
    GrammarPoint point;
    std::size_t before = 0;  // among the points of the byte before
  };
  std::vector<std::vector<Step>> steps{{{start(), 0}}};
  GrammarPoints next;
  for (const char byte : answer) {
    std::vector<Step> after;
    for (std::size_t i = 0; i < steps.back().size(); ++i) {
      next.clear();
      advance(steps.back()[i].point, byte, next);
      for (const GrammarPoint& point : next) after.push_back({point, i});
    }
    if (after.empty()) return std::nullopt;
    steps.push_back(std::move(after));
  }
  const auto last =
      std::find_if(steps.back().begin(), steps.back().end(), [&](const Step& step) { return may_end(step.point); });
  if (last == steps.back().end()) return std::nullopt;

  // From the end back: where an entity's closing mark has been written whole, and where its opening mark began.
  std::vector<Marked> found;
  auto index = static_cast<std::size_t>(last - steps.back().begin());
  for (std::size_t end = answer.size(); end > 0; --end) {
    const Step& after = steps[end][index];
    index = after.before;
    const GrammarPoint& before = steps[end - 1][index].point;
    const bool was_in_mark = before.phase == kClosing || before.phase == kInside;
    if (after.point.phase == kOutside && was_in_mark) {
      const SpellingTrie& marks = closer(before.label);
      const int node = marks.child(before.phase == kClosing ? before.step : 0, answer[end - 1]);
      const int spelled = marks.spelling(node);
      Marked entity;
      entity.label = labels_[static_cast<std::size_t>(closings_.size() == 1 ? spelled : before.label)];
      entity.end = end - static_cast<std::size_t>(marks.depth(node));
      entity.closing_end = end;
      found.push_back(std::move(entity));
    }
    if (after.point.phase == kInside && before.phase != kInside && !found.empty()) {
      found.back().begin = end;
      const int node = openings_.child(before.phase == kOpening ? before.step : 0, answer[end - 1]);
      found.back().opening = end - static_cast<std::size_t>(openings_.depth(node));
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

std::string copied_characters(std::string_view text, std::string_view answer) {
  std::set<char32_t> written;
  for (auto at = answer.begin(); at != answer.end();) written.insert(utf8::next(at, answer.end()));
  std::string copied;
  for (auto at = text.begin(); at != text.end();) {
    const auto begin = at;
    if (written.contains(utf8::next(at, text.end()))) copied.append(begin, at);
  }
  return copied;
}

bool mark_by_grammar(const InlineGrammar& grammar, InlineCopy& copy) {
  const auto entities = grammar.read(copy.answer);
  if (!entities) return false;
  for (const InlineGrammar::Marked& entity : *entities) {
    copy.mark(entity.opening, entity.begin);
    copy.mark(entity.end, entity.closing_end);
    copy.spans.push_back({entity.label, entity.begin, entity.end});
  }
  return true;
}

}  // namespace entune
