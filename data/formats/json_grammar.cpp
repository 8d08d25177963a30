#include "data/formats/json_grammar.h"

#include <utf8.h>

#include <algorithm>
#include <tuple>

#include "data/formats/json_records.h"
#include "data/formats/occurrences.h"
#include "data/formats/writable_text.h"

namespace entune {
namespace {

constexpr std::int32_t kLongestCharacter = 6;  // \u001f
constexpr std::int32_t kLongestNumber = 10;

std::vector<std::string> names_of(const LabelList& labels) {
  std::vector<std::string> names;
  for (const Label& label : labels) names.push_back(label.name);
  return names;
}

}  // namespace

JsonGrammar::JsonGrammar(JsonPieces pieces, const LabelList& labels, std::string_view text,
                         const TokenAlphabet& alphabet)
    : pieces_(std::move(pieces)),
      drops_first_space_(alphabet.drops_first_space),
      begins_with_(256),
      labels_(names_of(labels)),
      label_trie_(labels_) {
  // Offsets count the characters of the text as it is; one that cannot be written ends what a value can copy.
  std::vector<std::int32_t> borders;  // bytes where a character begins, and the end
  std::int32_t num_points = 0;
  for (auto at = text.begin(); at != text.end(); ++num_points) {
    auto end = at;
    utf8::next(end, text.end());
    const std::string quoted = json_string(std::string_view(at, end));
    const std::string spelled = quoted.substr(1, quoted.size() - 2);
    borders.push_back(size());
    code_point_.push_back(num_points);
    text_ += spelled;
    code_point_.resize(text_.size(), -1);
    at = end;
  }
  code_point_.push_back(num_points);
  borders.push_back(size());
  is_writable_.assign(text_.size(), 1);
  for (std::size_t i = 0; i + 1 < borders.size(); ++i) {
    const auto begin = static_cast<std::size_t>(borders[i]), end = static_cast<std::size_t>(borders[i + 1]);
    for (std::size_t at = begin; at < end; ++at) {
      if (!alphabet.writable[static_cast<unsigned char>(text_[at])])
        std::fill(is_writable_.begin() + borders[i], is_writable_.begin() + borders[i + 1], 0);
    }
    if (!is_writable_[begin]) continue;
    begins_with_[static_cast<unsigned char>(text_[begin])].push_back(borders[i]);
    last_begin_ = borders[i];
  }
  std::vector<std::int32_t> order(labels_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  std::ranges::sort(order, {}, [&](std::int32_t i) { return labels_[static_cast<std::size_t>(i)]; });
  rank_.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    rank_[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
}

/// Where a value that begins at `begin` must end at the latest: at a character that cannot be written, or the end.
std::int32_t JsonGrammar::value_limit(std::int32_t begin) const {
  const auto first = is_writable_.begin() + begin;
  return static_cast<std::int32_t>(std::find(first, is_writable_.end(), 0) - is_writable_.begin());
}

/// Whether an entity of `label` can begin at `begin` and come after the last one.
bool JsonGrammar::place_may_follow(const GrammarPoint& point, std::int32_t begin, std::int32_t label) const {
  if (point.last_begin < 0 || begin > point.last_begin) return true;
  const std::int32_t rank = rank_[static_cast<std::size_t>(label)];
  return begin == point.last_begin &&
         std::tuple(value_limit(begin), rank) > std::tuple(point.last_end, point.last_label);
}

bool JsonGrammar::any_label_may_follow(const GrammarPoint& point, int node) const {
  return std::ranges::any_of(label_trie_.below(node), [&](int label) {
    return last_begin_ >= 0 && place_may_follow(point, last_begin_, label);
  });
}

bool JsonGrammar::can_close(const GrammarPoint& point) const {
  const auto at = static_cast<std::size_t>(point.at);
  if (point.at == point.begin || code_point_[at] < 0) return false;
  const std::int32_t rank = rank_[static_cast<std::size_t>(point.label)];
  return std::tuple(point.begin, point.at, rank) > std::tuple(point.last_begin, point.last_end, point.last_label);
}

GrammarPoint JsonGrammar::start() const { return {.phase = drops_first_space_ ? kLead : kArray}; }

/// A step within a fixed piece; at its end the point is at the beginning of `after`.
void JsonGrammar::fixed(const GrammarPoint& point, std::string_view piece, Phase after, char byte,
                        GrammarPoints& next) const {
  if (piece[static_cast<std::size_t>(point.step)] != byte) return;
  GrammarPoint moved = point;
  if (++moved.step == static_cast<std::int32_t>(piece.size())) {
    moved.phase = after;
    moved.step = 0;
  }
  next.push_back(moved);
}

/// Where the value [begin, end) stands: for json the offset of its first character, else which of its occurrences it
/// is.
std::int32_t JsonGrammar::number_of_place(std::int32_t begin, std::int32_t end) const {
  if (!pieces_.before_end.empty()) return code_point_[static_cast<std::size_t>(begin)];
  const std::string_view value =
      std::string_view(text_).substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  if (value != closed_) {
    closed_ = value;
    occurrences_.clear();
    // Within an escape a value's bytes can stand without being the value.
    for (const std::size_t place : find_occurrences(value, text_)) {
      if (code_point_[place] >= 0 && code_point_[place + value.size()] >= 0) occurrences_.push_back(place);
    }
  }
  const auto place = std::ranges::lower_bound(occurrences_, static_cast<std::size_t>(begin));
  return static_cast<std::int32_t>(place - occurrences_.begin()) + 1;
}

std::string JsonGrammar::end_number(const GrammarPoint& point) const {
  return std::to_string(code_point_[static_cast<std::size_t>(point.unit)]);
}

void JsonGrammar::advance(const GrammarPoint& point, char byte, GrammarPoints& next) const {
  const auto beginning_of = [&](Phase phase) {
    GrammarPoint moved = point;
    moved.phase = phase;
    moved.step = 0;
    return moved;
  };
  const auto then = [&](Phase phase) { next.push_back(beginning_of(phase)); };
  switch (point.phase) {
    case kLead:
      if (byte == ' ') then(kArray);
      [[fallthrough]];
    case kArray:
      if (byte == '[') then(kFirst);
      break;
    case kFirst:
      if (byte == ']') then(kDone);
      if (any_label_may_follow(point, 0)) {
        fixed(beginning_of(kBeforeLabel), pieces_.before_label, kLabel, byte, next);
      }
      break;
    case kAfterObject:
      if (byte == ']') then(kDone);
      if (byte == ',' && any_label_may_follow(point, 0)) then(kBetween);
      break;
    case kBetween:
      if (byte == ' ') then(kBeforeLabel);
      break;
    case kBeforeLabel:
      fixed(point, pieces_.before_label, kLabel, byte, next);
      break;
    case kLabel: {
      const int node = label_trie_.child(point.step, byte);
      if (node >= 0 && any_label_may_follow(point, node)) {
        GrammarPoint moved = point;
        moved.step = node;
        next.push_back(moved);
      }
      const int label = label_trie_.spelling(point.step);
      if (label >= 0 && place_may_follow(point, last_begin_, label)) {
        GrammarPoint moved = beginning_of(kBeforeValue);
        moved.label = label;
        fixed(moved, pieces_.before_value, kValueStart, byte, next);
      }
      break;
    }
    case kBeforeValue:
      fixed(point, pieces_.before_value, kValueStart, byte, next);
      break;
    case kValueStart: {
      const std::vector<std::int32_t>& begins = begins_with_[static_cast<unsigned char>(byte)];
      for (auto at = std::ranges::lower_bound(begins, point.last_begin); at != begins.end(); ++at) {
        if (!place_may_follow(point, *at, point.label)) continue;
        GrammarPoint moved = point;
        moved.phase = kValue;
        moved.begin = *at;
        moved.at = *at + 1;
        next.push_back(moved);
      }
      break;
    }
    case kValue:
      if (point.at < size() && is_writable_[static_cast<std::size_t>(point.at)] &&
          text_[static_cast<std::size_t>(point.at)] == byte) {
        GrammarPoint moved = point;
        ++moved.at;
        next.push_back(moved);
      }
      if (byte == '"' && can_close(point)) {
        GrammarPoint moved = beginning_of(kBeforeNumber);
        moved.unit = point.at;
        moved.at = number_of_place(point.begin, point.at);
        fixed(moved, pieces_.before_number, kNumber, byte, next);
      }
      break;
    case kBeforeNumber:
      fixed(point, pieces_.before_number, kNumber, byte, next);
      break;
    case kNumber:
      if (byte < '0' || byte > '9') break;
      fixed(point, std::to_string(point.at), pieces_.before_end.empty() ? kClose : kBeforeEnd, byte, next);
      break;
    case kBeforeEnd:
      fixed(point, pieces_.before_end, kEnd, byte, next);
      break;
    case kEnd:
      fixed(point, end_number(point), kClose, byte, next);
      break;
    case kClose:
      if (byte == '}') {
        next.push_back({.phase = kAfterObject,
                        .last_begin = point.begin,
                        .last_end = point.unit,
                        .last_label = rank_[static_cast<std::size_t>(point.label)]});
      }
      break;
    default:
      break;
  }
}

std::int32_t JsonGrammar::tokens_to_end(const GrammarPoint& point) const {
  // From the end back: what each phase adds, a token for each byte.
  const auto left = [&](std::string_view piece) { return static_cast<std::int32_t>(piece.size()) - point.step; };
  const auto length = [](std::string_view piece) { return static_cast<std::int32_t>(piece.size()); };
  const std::int32_t close = 2;  // }]
  const std::int32_t end = (pieces_.before_end.empty() ? 0 : length(pieces_.before_end) + kLongestNumber) + close;
  const std::int32_t behind_value = length(pieces_.before_number) + kLongestNumber + end;
  const std::int32_t value = kLongestCharacter + behind_value;
  const std::int32_t label = label_trie_.bytes_left(0) + length(pieces_.before_value) + value;
  switch (point.phase) {
    case kLead:
      return 3;
    case kArray:
      return 2;
    case kFirst:
      return 1;
    case kAfterObject:
      return 1;
    case kBetween:
      return 1 + length(pieces_.before_label) + label;
    case kBeforeLabel:
      return left(pieces_.before_label) + label;
    case kLabel:
      return label_trie_.bytes_left(point.step) + length(pieces_.before_value) + value;
    case kBeforeValue:
      return left(pieces_.before_value) + value;
    case kValueStart:
      return value;
    case kValue: {
      std::int32_t bytes = 0;
      for (GrammarPoint at = point; !can_close(at); ++at.at) ++bytes;
      return bytes + behind_value;
    }
    case kBeforeNumber:
      return left(pieces_.before_number) + kLongestNumber + end;
    case kNumber:
      return left(std::to_string(point.at)) + end;
    case kBeforeEnd:
      return left(pieces_.before_end) + kLongestNumber + close;
    case kEnd:
      return left(end_number(point)) + close;
    case kClose:
      return close;
    default:
      return 0;
  }
}

std::optional<char> JsonGrammar::likely_byte(const GrammarPoint& point) const {
  const auto of = [&](std::string_view piece) { return piece[static_cast<std::size_t>(point.step)]; };
  switch (point.phase) {
    case kLead:
      return ' ';
    case kArray:
      return '[';
    case kFirst:
      return any_label_may_follow(point, 0) ? '{' : ']';
    case kAfterObject:
      return any_label_may_follow(point, 0) ? ',' : ']';
    case kBetween:
      return ' ';
    case kBeforeLabel:
      return of(pieces_.before_label);
    case kLabel:
      if (label_trie_.below(point.step).size() == 1 && label_trie_.spelling(point.step) >= 0) return '"';
      return label_trie_.only_byte(point.step);
    case kBeforeValue:
      return of(pieces_.before_value);
    case kValue:
      return point.at < size() && is_writable_[static_cast<std::size_t>(point.at)]
                 ? text_[static_cast<std::size_t>(point.at)]
                 : '"';
    case kBeforeNumber:
      return of(pieces_.before_number);
    case kNumber:
      return of(std::to_string(point.at));
    case kBeforeEnd:
      return of(pieces_.before_end);
    case kEnd:
      return of(end_number(point));
    case kClose:
      return '}';
    default:
      return std::nullopt;
  }
}

/// Behind an object, whatever it said.
std::optional<GrammarPoint> JsonGrammar::resume_behind(std::string_view written) const {
  if (!written.ends_with('}')) return std::nullopt;
  return GrammarPoint{.phase = kAfterObject};
}

}  // namespace entune
