#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "data/constraints/piece_trie.h"
#include "data/formats/output_format.h"

namespace entune {

/// The tokens with which an answer may go on.
struct AllowedTokens {
  std::vector<TokenId> ids;  ///< ascending
  std::vector<std::int32_t>
      tokens_to_end;             ///< behind each: with so many more, the stop token aside, the answer can end
  std::int32_t most_to_end = 0;  ///< the largest of them
  bool may_stop = false;
};

/// The well-formed answers about one text, token by token: a format's grammar over a tokenizer's pieces, whatever
/// borders the pieces cross. States are sets of points; an empty one has no answer any more. For one thread.
class AnswerGuide {
 public:
  /// `format`, `tokenizer` and `pieces` must outlive the guide; `text` need not. The text must be valid UTF-8.
  AnswerGuide(const OutputFormat& format, std::string_view text, const Tokenizer& tokenizer, const PieceTrie& pieces);

  GrammarPoints start() const { return {grammar_->start()}; }
  GrammarPoints after(const GrammarPoints& points, std::string_view bytes) const;
  GrammarPoints after(const GrammarPoints& points, TokenId id) const { return after(points, tokenizer_.bytes(id)); }
  /// Valid until the next call. Those of some states are kept: a state comes again where a draft was not taken.
  const AllowedTokens& allowed(const GrammarPoints& points);
  static constexpr std::size_t kMostKept = 1 << 14;  ///< points and tokens of all states that are kept
  /// Drops what allowed() has kept.
  void forget();
  /// A limit of tokens, the stop token included, with which an answer can be whole.
  std::int64_t smallest_limit() const { return grammar_->tokens_to_end(grammar_->start()) + 1; }

  /// A state behind an answer that is none any more, by its last tokens; may be empty. For likely_tokens alone.
  GrammarPoints resumed(std::span<const TokenId> ids) const;
  /// How an answer of which `ids` are written is likely to go on: the text's next words, the rest of a mark. At most
  /// `max_tokens`; the last may be `stop`. `points` is the state after `ids`; where it is empty, what followed the
  /// answer's last tokens where they stood in it before (an answer that turns in a circle).
  std::vector<TokenId> likely_tokens(const GrammarPoints& points, std::span<const TokenId> ids, std::size_t max_tokens,
                                     TokenId stop) const;

 private:
  void collect(std::int32_t node, const GrammarPoints& points,
               std::vector<std::pair<TokenId, std::int32_t>>& found) const;
  std::string text_after(const GrammarPoints& points, std::size_t max_bytes, bool& ends) const;
  std::vector<TokenId> continuation(std::span<const TokenId> ids, const std::string& text) const;

  const Tokenizer& tokenizer_;
  const PieceTrie& pieces_;
  std::unique_ptr<AnswerGrammar> grammar_;
  std::map<GrammarPoints, AllowedTokens> allowed_;
  std::size_t num_kept_ = 0;  // points and tokens of allowed_
};

}  // namespace entune
