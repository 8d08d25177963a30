#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"
#include "data/formats/answer_grammar.h"
#include "data/formats/spelling_trie.h"

namespace entune {

/// The fixed pieces of a JSON answer, in the order in which they stand: {label, value, numbers}.
struct JsonPieces {
  std::string before_label;   ///< of the first object: `{"type": "`
  std::string before_value;   ///< behind the label, its quote included: `", "value": "`
  std::string before_number;  ///< behind the value, its quote included
  std::string before_end;     ///< json: between the two offsets; empty: the one number is the value's occurrence
};

/// An array of objects that names entities in the order (start, end, label), each once. Values are copied from the
/// text, JSON's escapes included, and the numbers are those of a place where the value stands.
class JsonGrammar final : public AnswerGrammar {
 public:
  /// `text` must be valid UTF-8. Nothing of the arguments is kept by reference.
  JsonGrammar(JsonPieces pieces, const LabelList& labels, std::string_view text, const TokenAlphabet& alphabet);

  GrammarPoint start() const override;
  void advance(const GrammarPoint& point, char byte, GrammarPoints& next) const override;
  bool may_end(const GrammarPoint& point) const override { return point.phase == kDone; }
  std::int32_t tokens_to_end(const GrammarPoint& point) const override;
  std::optional<char> likely_byte(const GrammarPoint& point) const override;
  std::optional<GrammarPoint> resume_behind(std::string_view written) const override;

 private:
  enum Phase : std::int32_t {
    kLead,
    kArray,
    kFirst,
    kBeforeLabel,
    kLabel,
    kBeforeValue,
    kValueStart,
    kValue,
    kBeforeNumber,
    kNumber,
    kBeforeEnd,
    kEnd,
    kClose,
    kAfterObject,
    kBetween,
    kDone
  };

  std::int32_t value_limit(std::int32_t begin) const;
  bool place_may_follow(const GrammarPoint& point, std::int32_t begin, std::int32_t label) const;
  bool any_label_may_follow(const GrammarPoint& point, int node) const;
  bool can_close(const GrammarPoint& point) const;
  void fixed(const GrammarPoint& point, std::string_view piece, Phase after, char byte, GrammarPoints& next) const;
  // Of a value that is closed, and in the point's `at` from then on.
  std::int32_t number_of_place(std::int32_t begin, std::int32_t end) const;
  std::string end_number(const GrammarPoint& point) const;
  std::int32_t size() const { return static_cast<std::int32_t>(text_.size()); }

  JsonPieces pieces_;
  std::string text_;  // as JSON writes it within quotes
  bool drops_first_space_;
  std::vector<char> is_writable_;                       // by byte of text_: its character is
  std::vector<std::int32_t> code_point_;                // by byte of text_ and its end; -1: none begins here
  std::vector<std::vector<std::int32_t>> begins_with_;  // where a value can begin, by its first byte
  std::int32_t last_begin_ = -1;                        // the last of them
  std::vector<std::string> labels_;
  std::vector<std::int32_t> rank_;  // by label: in the order of names
  SpellingTrie label_trie_;
  // Of the value that was closed last, where it stands: all ways to read an answer close the same one.
  mutable std::string closed_;
  mutable std::vector<std::size_t> occurrences_;
};

}  // namespace entune
