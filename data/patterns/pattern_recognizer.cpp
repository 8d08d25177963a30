#include "data/patterns/pattern_recognizer.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "data/code_points.h"
#include "data/patterns/pattern.h"

namespace entune {
namespace {

constexpr std::string_view kPerson = "person";

/// Bytes of a text that could be an entity; a smaller rank is the stricter pattern.
struct Match {
  std::size_t start;
  std::size_t end;
  std::size_t rank;
  std::string_view label;
};

/// Bytes of other scripts and of accented letters count as letters.
bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A value must not be cut out of a longer word or number ("1.2.3.4" out of "1.2.3.4.5", a host out of an e-mail
/// address).
bool stands_alone(std::string_view text, std::size_t start, std::size_t end) {
  if (start > 0) {
    const char before = text[start - 1];
    if (is_word(before) && is_word(text[start])) return false;
    if (before == '@') return false;
    const bool joins = before == '.' || before == '-' || before == '/' || before == ':';
    if (joins && start > 1 && is_digit(text[start - 2]) && is_digit(text[start])) return false;
  }
  if (end < text.size()) {
    const char after = text[end];
    if (is_word(after) && is_word(text[end - 1])) return false;
    const bool joins = after == '.' || after == '-' || after == '/' || after == ':';
    if (joins && end + 1 < text.size() && is_digit(text[end + 1]) && is_digit(text[end - 1])) return false;
  }
  return true;
}

void find_pattern(std::string_view text, const Pattern& pattern, std::size_t rank, std::string_view label,
                  std::vector<Match>& matches) {
  std::cmatch found;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  while (at < end) {
    const auto flags = at == begin ? std::regex_constants::match_default : std::regex_constants::match_prev_avail;
    if (!std::regex_search(at, end, found, pattern.expression, flags)) return;
    const auto& value = found[static_cast<std::size_t>(pattern.group)];
    const auto first = static_cast<std::size_t>(value.first - begin);
    auto last = static_cast<std::size_t>(value.second - begin);
    while (last > first &&
           (text[last - 1] == ' ' || text[last - 1] == '.' || text[last - 1] == ',' || text[last - 1] == '-'))
      --last;
    if (last > first && stands_alone(text, first, last) &&
        (pattern.accepts == nullptr || pattern.accepts(text.substr(first, last - first)))) {
      matches.push_back({first, last, rank, label});
      at = begin + last;
    } else {
      at = std::max(at, found[0].first) + 1;
    }
  }
}

/// One to three capitalized words behind a title.
void find_titled_names(std::string_view text, std::size_t rank, std::string_view label, std::vector<Match>& matches) {
  static constexpr std::array<std::string_view, 12> kTitles = {
      "Mr. ", "Mrs. ", "Ms. ", "Dr. ", "Prof. ", "Mr ", "Mrs ", "Ms ", "Dr ", "Miss ", "Professor ", "Detective "};
  const auto is_capital = [](char c) { return (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0xC3; };
  for (const std::string_view title : kTitles) {
    for (std::size_t at = text.find(title); at != std::string_view::npos; at = text.find(title, at + 1)) {
      if (at > 0 && is_word(text[at - 1])) continue;
      const std::size_t start = at + title.size();
      std::size_t end = start;
      std::size_t word = start;
      for (int count = 0; count < 3 && word < text.size() && is_capital(text[word]); ++count) {
        end = word;
        while (end < text.size() && (is_word(text[end]) || ((text[end] == '\'' || text[end] == '-') &&
                                                            end + 1 < text.size() && is_capital(text[end + 1])))) {
          ++end;
        }
        const bool initial = end == word + 1 && end < text.size() && text[end] == '.';
        word = end + (initial ? 2 : 1);
        if (end >= text.size() || (text[end] != ' ' && !initial)) break;
      }
      if (end > start) matches.push_back({start, end, rank, label});
    }
  }
}

}  // namespace

PatternRecognizer::PatternRecognizer(const LabelList& labels) {
  for (const Label& label : labels) {
    const std::string_view kind = kind_of_label(label.name);
    if (kind.empty()) continue;
    covered_.push_back(label.name);
    for (const Pattern& pattern : all_patterns()) {
      const bool of_bank = pattern.kind == "iban" || pattern.kind == "routing" || pattern.kind == "account";
      if (pattern.kind == kind || (kind == "bank" && of_bank)) patterns_.emplace_back(&pattern, label.name);
    }
    if (kind == kPerson) patterns_.emplace_back(nullptr, label.name);
  }
  // The strictest first, whatever the order of the labels; names, which have no Pattern, last.
  const auto rank = [](const Pattern* pattern) {
    return pattern == nullptr ? all_patterns().size() : static_cast<std::size_t>(pattern - all_patterns().data());
  };
  std::stable_sort(patterns_.begin(), patterns_.end(),
                   [&](const auto& a, const auto& b) { return rank(a.first) < rank(b.first); });
}

std::vector<std::string> PatternRecognizer::covered_labels() const { return covered_; }

std::vector<Entity> PatternRecognizer::find(std::string_view text) const {
  const CodePointIndex index(text);
  std::vector<Match> matches;
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const auto& [pattern, label] = patterns_[i];
    if (pattern != nullptr) {
      find_pattern(text, *pattern, i, label, matches);
    } else {
      find_titled_names(text, i, label, matches);
    }
  }
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return std::tuple(b.end - b.start, a.start, a.rank) < std::tuple(a.end - a.start, b.start, b.rank);
  });
  std::vector<Entity> entities;
  std::set<std::pair<std::size_t, std::size_t>> taken;  // by end: the first that ends behind a start can overlap
  for (const Match& match : matches) {
    const auto next = taken.upper_bound({match.start, text.size() + 1});
    if (next != taken.end() && next->second < match.end) continue;
    const std::int64_t start = index.code_point(match.start);
    const std::int64_t end = index.code_point(match.end);
    if (start < 0 || end < 0) continue;  // a bounded repetition ended inside a character
    taken.emplace(match.end, match.start);
    entities.push_back({start, end, std::string(match.label)});
  }
  std::sort(entities.begin(), entities.end());
  return entities;
}

}  // namespace entune
