#include "data/formats/bio_grammar.h"

#include <algorithm>

#include "data/code_points.h"
#include "data/formats/word_splitter.h"
#include "data/formats/writable_text.h"

namespace entune {
namespace {

std::vector<std::string> tags_of(const LabelList& labels) {
  std::vector<std::string> tags{"O"};
  for (const char* position : {"B-", "I-"}) {
    for (const Label& label : labels) tags.push_back(position + label.name);
  }
  return tags;
}

}  // namespace

BioGrammar::BioGrammar(const LabelList& labels, std::string_view text, const TokenAlphabet& alphabet)
    : drops_first_space_(alphabet.drops_first_space),
      num_labels_(static_cast<std::int32_t>(labels.size())),
      tags_(tags_of(labels)),
      tag_trie_(tags_) {
  const CodePointIndex index(text);
  std::string plain;  // the answer without entities
  std::vector<std::size_t> begins;
  for (const Word& word : split_words(text)) {
    const std::string writable = writable_text(index.slice(word.start, word.end), alphabet);
    if (writable.empty()) continue;
    if (!plain.empty()) plain += '\n';
    begins.push_back(plain.size());
    words_.push_back(writable + " ");
    plain += words_.back() + "O";
  }
  const std::vector<std::int32_t> fewest = fewest_tokens(plain, alphabet);
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const auto begin = fewest.begin() + static_cast<std::ptrdiff_t>(begins[i]);
    const auto size = static_cast<std::ptrdiff_t>(words_[i].size());
    fewest_from_word_.emplace_back(begin, begin + size + 1);
    fewest_behind_.push_back(begin[size + 1]);
  }
}

GrammarPoint BioGrammar::start() const { return {.phase = drops_first_space_ ? kLead : kWord, .label = -1}; }

std::int32_t BioGrammar::label_of(int tag) const { return tag == 0 ? -1 : (tag - 1) % num_labels_; }

/// point.label: that of the line before, or -1.
bool BioGrammar::may_stand(const GrammarPoint& point, int tag) const {
  return tag <= num_labels_ || label_of(tag) == point.label;
}

int BioGrammar::first_tag(const GrammarPoint& point, int node) const {
  const auto found = std::ranges::find_if(tag_trie_.below(node), [&](int tag) { return may_stand(point, tag); });
  return found == tag_trie_.below(node).end() ? -1 : *found;
}

void BioGrammar::advance(const GrammarPoint& point, char byte, GrammarPoints& next) const {
  if (words_.empty()) return;
  GrammarPoint moved = point;
  if (point.phase == kLead || point.phase == kWord) {
    if (point.phase == kLead && byte == ' ') {
      next.push_back({.phase = kWord, .label = -1});
    } else if (word(point)[static_cast<std::size_t>(point.step)] == byte) {
      const bool is_whole = point.step + 1 == static_cast<std::int32_t>(word(point).size());
      moved.phase = is_whole ? kTag : kWord;
      moved.step = is_whole ? 0 : point.step + 1;
      next.push_back(moved);
    }
    return;
  }
  const int tag = tag_trie_.spelling(point.step);
  if (byte == '\n' && tag >= 0 && may_stand(point, tag) && !is_last(point)) {
    next.push_back({.phase = kWord, .at = point.at + 1, .label = label_of(tag)});
  }
  moved.step = tag_trie_.child(point.step, byte);
  if (moved.step >= 0 && first_tag(point, moved.step) >= 0) next.push_back(moved);
}

bool BioGrammar::may_end(const GrammarPoint& point) const {
  if (words_.empty()) return true;
  if (point.phase != kTag || !is_last(point)) return false;
  const int tag = tag_trie_.spelling(point.step);
  return tag >= 0 && may_stand(point, tag);
}

std::int32_t BioGrammar::tokens_to_end(const GrammarPoint& point) const {
  if (words_.empty()) return 0;
  const auto at = static_cast<std::size_t>(point.at);
  if (point.phase == kTag && point.step == 0) return fewest_from_word_[at].back();
  if (point.phase == kTag) return tag_trie_.bytes_left(point.step) + fewest_behind_[at];
  return fewest_from_word_[at][static_cast<std::size_t>(point.step)] + (point.phase == kLead ? 1 : 0);
}

std::optional<char> BioGrammar::likely_byte(const GrammarPoint& point) const {
  if (words_.empty()) return std::nullopt;
  if (point.phase == kLead) return ' ';
  if (point.phase == kWord) return word(point)[static_cast<std::size_t>(point.step)];
  if (point.step == 0) return 'O';
  const int tag = tag_trie_.spelling(point.step);
  if (tag >= 0 && may_stand(point, tag)) return is_last(point) ? std::nullopt : std::optional('\n');
  const auto& below = tag_trie_.below(point.step);
  if (std::ranges::count_if(below, [&](int other) { return may_stand(point, other); }) != 1) return std::nullopt;
  return tags_[static_cast<std::size_t>(first_tag(point, point.step))]
              [static_cast<std::size_t>(tag_trie_.depth(point.step))];
}

/// Behind the line of a word that the text has.
std::optional<GrammarPoint> BioGrammar::resume_behind(std::string_view written) const {
  if (!written.ends_with('\n')) return std::nullopt;
  written.remove_suffix(1);
  const std::string_view line = written.substr(written.rfind('\n') + 1);  // npos + 1: all of it
  const std::string_view with_space = line.substr(0, line.rfind(' ') + 1);
  const auto found = std::ranges::find(words_, with_space);
  if (found == words_.end() || std::next(found) == words_.end()) return std::nullopt;
  return GrammarPoint{.phase = kWord, .at = static_cast<std::int32_t>(std::next(found) - words_.begin()), .label = -1};
}

}  // namespace entune
