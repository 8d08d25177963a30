#pragma once

#include <bitset>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace entune {

/// One way to read the beginning of an answer: where it has come to in the format's rules. What the numbers mean is
/// the grammar's own; equal points go on alike.
struct GrammarPoint {
  std::int32_t phase = 0;
  std::int32_t at = 0;     ///< byte of the copied text that comes next
  std::int32_t step = 0;   ///< within a mark or a fixed piece of the format
  std::int32_t begin = 0;  ///< of the entity that is being written, in bytes of the copied text
  std::int32_t unit = 0;   ///< up to which byte the copy must go on before anything else may come
  std::int32_t label = 0;
  std::int32_t last_begin = -1, last_end = -1, last_label = -1;  ///< the entity before it, where their order counts

  friend auto operator<=>(const GrammarPoint&, const GrammarPoint&) = default;
};
using GrammarPoints = std::vector<GrammarPoint>;

/// What a tokenizer can write, for grammars whose answers come as tokens.
struct TokenAlphabet {
  /// Bytes that some token alone spells. A character with another one cannot be written: the copy leaves it out.
  std::bitset<256> writable = std::bitset<256>().set();
  /// Whether the reader drops a space at the answer's beginning (Tokenizer::drops_first_space).
  bool drops_first_space = false;
  /// For each byte offset of a text, and its end: the fewest tokens that spell the rest. Empty: one a byte.
  std::function<std::vector<std::int32_t>(std::string_view)> fewest_tokens;
};

/// The answers about one text that are well formed in a format, byte by byte: labels of the list, words of the text,
/// nothing else. From every point that it gives an answer can be finished.
class AnswerGrammar {
 public:
  virtual ~AnswerGrammar() = default;

  virtual GrammarPoint start() const = 0;
  /// Appends the points that `byte` leads to.
  virtual void advance(const GrammarPoint& point, char byte, GrammarPoints& next) const = 0;
  virtual bool may_end(const GrammarPoint& point) const = 0;
  /// With so many tokens an answer can be finished from here. Some token leads to a point with fewer.
  virtual std::int32_t tokens_to_end(const GrammarPoint& point) const = 0;
  /// The byte that an answer is likely to go on with, or nothing where that is the model's choice or the end.
  virtual std::optional<char> likely_byte(const GrammarPoint& point) const = 0;
  /// Where an answer that left the grammar and ends with `written` may have come back to it, for guesses at what
  /// follows.
  virtual std::optional<GrammarPoint> resume_behind(std::string_view written) const = 0;
};

}  // namespace entune
