#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"
#include "data/formats/answer_grammar.h"
#include "data/formats/inline_copy.h"
#include "data/formats/spelling_trie.h"

namespace entune {

/// How an inline format marks an entity within the copy.
struct InlineMarks {
  /// What begins an entity; xml: one for each label, bracket: one for all of them.
  std::vector<std::string> openings;
  /// What ends an entity, for each label. With one opening for all labels any of them, else that of the opening's
  /// label.
  std::vector<std::string> closings;
  /// bracket: "[" and "]" of the text pair up within a value, so that the reader does not take them for a mark.
  bool pairs_brackets = false;
};

/// The text with entities marked, flat and not empty. Where the text itself goes on with a mark, it is the text: no
/// entity begins or ends there by that mark ("[" alone can be both: it is the mark where the brackets pair up so).
class InlineGrammar final : public AnswerGrammar {
 public:
  /// `text` must be valid UTF-8. Nothing of the arguments is kept by reference.
  InlineGrammar(const InlineMarks& marks, const LabelList& labels, std::string_view text,
                const TokenAlphabet& alphabet);

  GrammarPoint start() const override;
  void advance(const GrammarPoint& point, char byte, GrammarPoints& next) const override;
  bool may_end(const GrammarPoint& point) const override;
  std::int32_t tokens_to_end(const GrammarPoint& point) const override;
  std::optional<char> likely_byte(const GrammarPoint& point) const override;
  std::optional<GrammarPoint> resume_behind(std::string_view written) const override;

  /// An entity of an answer, and where its marks stand: bytes of the answer.
  struct Marked {
    std::string label;
    std::size_t opening = 0, begin = 0, end = 0, closing_end = 0;
  };
  /// The entities of an answer that this grammar allows, in order, or nothing for another one. Holds a few points for
  /// every byte of the answer meanwhile.
  std::optional<std::vector<Marked>> read(std::string_view answer) const;

 private:
  enum Phase : std::int32_t { kLead, kOutside, kOpening, kInside, kClosing };

  const SpellingTrie& closer(std::int32_t opening) const;
  int barred(const SpellingTrie& marks, std::int32_t at) const;
  int first_mark(const SpellingTrie& marks, int node, std::int32_t at) const;
  bool can_close(std::int32_t at, std::int32_t opening) const;
  bool can_go_on(std::int32_t at) const;
  void outside(const GrammarPoint& point, char byte, GrammarPoints& next) const;
  void inside(const GrammarPoint& point, char byte, GrammarPoints& next) const;
  std::string_view from(std::int32_t at) const { return std::string_view(text_).substr(static_cast<std::size_t>(at)); }
  std::int32_t size() const { return static_cast<std::int32_t>(text_.size()); }

  std::string text_;  // as far as it can be written
  bool drops_first_space_;
  bool text_bars_openings_;
  std::vector<std::string> labels_;
  SpellingTrie openings_;
  std::vector<SpellingTrie> closings_;  // by opening
  std::vector<std::int32_t> unit_end_;  // by byte: where a character that begins here ends, with the brackets that it
                                        // opens; -1: none begins here, or it cannot stand in an entity
  std::vector<char> can_reach_close_;   // by byte: an entity that has come here can be ended here or later
  std::vector<std::int32_t> fewest_;    // tokens for the rest
  std::vector<char> is_border_;         // by byte and at the end: a character begins here
};

/// `text` without the characters that `answer` has nowhere: what a model could copy that has no tokens for them (or one
/// that left them out everywhere; then the copy differs from the text all the same). Both must be valid UTF-8.
std::string copied_characters(std::string_view text, std::string_view answer);

/// For texts that hold marks themselves, where a reader of the answer alone cannot tell them from the answer's: marks
/// the copy as `grammar` reads it. False, and nothing marked, if it is no answer of the grammar.
bool mark_by_grammar(const InlineGrammar& grammar, InlineCopy& copy);

}  // namespace entune
