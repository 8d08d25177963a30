#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"
#include "data/formats/answer_grammar.h"
#include "data/formats/spelling_trie.h"

namespace entune {

/// One line for each word of the text, in its order: the word, a space and O, B-LABEL, or I-LABEL behind a line of that
/// label.
class BioGrammar final : public AnswerGrammar {
 public:
  /// `text` must be valid UTF-8. Nothing of the arguments is kept by reference.
  BioGrammar(const LabelList& labels, std::string_view text, const TokenAlphabet& alphabet);

  GrammarPoint start() const override;
  void advance(const GrammarPoint& point, char byte, GrammarPoints& next) const override;
  bool may_end(const GrammarPoint& point) const override;
  std::int32_t tokens_to_end(const GrammarPoint& point) const override;
  std::optional<char> likely_byte(const GrammarPoint& point) const override;
  std::optional<GrammarPoint> resume_behind(std::string_view written) const override;

 private:
  enum Phase : std::int32_t { kLead, kWord, kTag };

  bool may_stand(const GrammarPoint& point, int tag) const;
  std::int32_t label_of(int tag) const;
  /// A tag that can come of what is written of it, or -1.
  int first_tag(const GrammarPoint& point, int node) const;
  std::string_view word(const GrammarPoint& point) const { return words_[static_cast<std::size_t>(point.at)]; }
  bool is_last(const GrammarPoint& point) const { return point.at + 1 == static_cast<std::int32_t>(words_.size()); }

  std::vector<std::string> words_;  // each with the space behind it
  bool drops_first_space_;
  std::int32_t num_labels_;
  std::vector<std::string> tags_;  // O, then B- of each label, then I-
  SpellingTrie tag_trie_;
  // Tokens for the rest of an answer without entities: from each byte of each word and from its tag on, and from behind
  // it.
  std::vector<std::vector<std::int32_t>> fewest_from_word_;
  std::vector<std::int32_t> fewest_behind_;
};

}  // namespace entune
