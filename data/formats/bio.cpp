#include "data/formats/bio.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/code_points.h"
#include "data/formats/alignment.h"
#include "data/formats/answer_text.h"
#include "data/formats/bio_grammar.h"
#include "data/formats/closed_labels.h"
#include "data/formats/copy_distance.h"
#include "data/formats/word_splitter.h"

namespace entune {
namespace {

/// One line of an answer. `position` is 'O', 'B' or 'I'; a line without a tag is a word outside.
struct TaggedLine {
  std::string_view word{};
  char position = 'O';
  std::string_view label{};
  bool has_tag = false;
};

TaggedLine split_line(std::string_view line) {
  const std::size_t space = line.rfind(' ');
  if (space == line.npos) return {.word = line};
  const std::string_view tag = line.substr(space + 1);
  if (tag == "O") return {.word = line.substr(0, space), .has_tag = true};
  if (tag.size() > 2 && (tag[0] == 'B' || tag[0] == 'I') && tag[1] == '-') {
    return {.word = line.substr(0, space), .position = tag[0], .label = tag.substr(2), .has_tag = true};
  }
  return {.word = line};
}

std::vector<TaggedLine> split_lines(std::string_view answer) {
  std::vector<TaggedLine> lines;
  while (!answer.empty()) {
    const std::size_t end = std::min(answer.find('\n'), answer.size());
    std::string_view line = answer.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(split_line(line));
    answer.remove_prefix(std::min(end + 1, answer.size()));
  }
  return lines;
}

/// The lines [begin, end) that one entity, of a listed label or another one, covers.
struct LineSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view label{};
};

std::vector<LineSpan> join_lines(const std::vector<TaggedLine>& lines, ParsedAnswer& parsed) {
  std::vector<LineSpan> spans;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const TaggedLine& line = lines[i];
    if (!line.has_tag) count(parsed, AnswerFault::unparsable);
    if (line.position == 'O') continue;
    const bool goes_on = !spans.empty() && spans.back().end == i && spans.back().label == line.label;
    if (line.position == 'I' && goes_on) {
      spans.back().end = i + 1;
      continue;
    }
    if (line.position == 'I') count(parsed, AnswerFault::unbalanced);
    spans.push_back({i, i + 1, line.label});
  }
  return spans;
}

class BioFormat final : public OutputFormat {
 public:
  explicit BioFormat(const LabelList& labels) : list_(labels), labels_(labels) {}

  std::string_view name() const override { return "bio"; }

  std::optional<std::string> why_not(const Example& example) const override {
    if (auto reason = labels_.why_not(example)) return reason;
    if (any_overlap(example.entities)) return "entities overlap";
    const std::vector<Word> words = split_words(example.text);
    for (const Entity& entity : example.entities) {
      const bool begins = std::binary_search(words.begin(), words.end(), entity,
                                             [](const auto& a, const auto& b) { return a.start < b.start; });
      const bool ends = std::binary_search(words.begin(), words.end(), entity,
                                           [](const auto& a, const auto& b) { return a.end < b.end; });
      if (!begins || !ends) return "an entity begins or ends inside a word or with white space";
    }
    return std::nullopt;
  }

  std::string render(const Example& example) const override {
    const CodePointIndex index(example.text);
    std::vector<std::string> lines;
    auto entity = example.entities.begin();
    for (const Word& word : split_words(example.text)) {
      while (entity != example.entities.end() && entity->end <= word.start) ++entity;
      const bool is_inside = entity != example.entities.end() && entity->start <= word.start;
      const std::string tag =
          is_inside ? fmt::format("{}-{}", entity->start == word.start ? 'B' : 'I', entity->label) : "O";
      lines.push_back(fmt::format("{} {}", index.slice(word.start, word.end), tag));
    }
    return fmt::format("{}", fmt::join(lines, "\n"));
  }

  ParsedAnswer parse(std::string_view answer, std::string_view input) const override {
    ParsedAnswer parsed;
    const CodePointIndex index(input);
    const std::string text = valid_utf8(answer);
    const std::vector<TaggedLine> lines = split_lines(text);
    const std::vector<Word> words = split_words(input);

    std::size_t num_equal = 0;  // lines whose words are the input's, from the first on
    while (num_equal < lines.size() && num_equal < words.size() &&
           lines[num_equal].word == index.slice(words[num_equal].start, words[num_equal].end)) {
      ++num_equal;
    }
    if (num_equal != lines.size() || num_equal != words.size()) count(parsed, AnswerFault::copy_differs);
    if (lines.empty() && !words.empty()) count(parsed, AnswerFault::unparsable);
    parsed.copy = word_distance(lines, words, index);

    for (const LineSpan& span : join_lines(lines, parsed)) {
      if (!labels_.contains(span.label)) {
        count(parsed, AnswerFault::unknown_label);
        continue;
      }
      Mention mention;
      mention.label = span.label;
      if (span.end <= num_equal) {
        mention.raw = Entity{words[span.begin].start, words[span.end - 1].end, mention.label};
        mention.value = index.slice(mention.raw->start, mention.raw->end);
      } else {
        mention.value = joined_words(lines, span);
      }
      if (mention.value.empty()) {
        count(parsed, AnswerFault::empty_value);
      } else {
        parsed.mentions.push_back(std::move(mention));
      }
    }
    align(parsed, input, index);
    return parsed;
  }

  std::unique_ptr<AnswerGrammar> grammar(std::string_view text, const TokenAlphabet& alphabet) const override {
    return std::make_unique<BioGrammar>(list_, text, alphabet);
  }

  std::string instruction() const override {
    return "Answer with one line for each word of the text, in its order: the word, a space and its tag. The first "
           "word of an entity "
           "has the tag B-LABEL, its other words I-LABEL, and all other words O. Punctuation marks are words of their "
           "own. Write nothing "
           "else.";
  }

  std::string explanation(const Example& example) const override {
    return fmt::format(
        "I wrote every word and every punctuation mark on a line of its own. {}. The first word of each has B- and its "
        "label, the words that follow in it have I- and the label. Nothing else fits a label, so all other words have "
        "O.",
        list_entities(example));
  }

 private:
  /// The value of an entity that has no place in the input: its words with single spaces.
  static std::string joined_words(const std::vector<TaggedLine>& lines, const LineSpan& span) {
    std::string value;
    for (std::size_t i = span.begin; i < span.end; ++i) {
      if (!value.empty()) value += ' ';
      value += lines[i].word;
    }
    return value;
  }

  /// The distance of the column of words from the input's.
  static CopyDistance word_distance(const std::vector<TaggedLine>& lines, const std::vector<Word>& words,
                                    const CodePointIndex& index) {
    std::vector<std::string_view> written, expected;
    for (const TaggedLine& line : lines) written.push_back(line.word);
    for (const Word& word : words) expected.push_back(index.slice(word.start, word.end));
    return copy_distance(fmt::format("{}", fmt::join(written, "\n")), fmt::format("{}", fmt::join(expected, "\n")));
  }

  LabelList list_;
  ClosedLabels labels_;
};

}  // namespace

std::unique_ptr<OutputFormat> make_bio_format(const LabelList& labels) { return std::make_unique<BioFormat>(labels); }

}  // namespace entune
