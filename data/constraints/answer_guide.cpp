#include "data/constraints/answer_guide.h"

#include <utf8.h>

#include <algorithm>
#include <string>

namespace entune {
namespace {

/// Of tokens at the end of what is written, which are encoded again with what is proposed: a word begins among them.
constexpr std::size_t kMostTailTokens = 8;
constexpr std::size_t kBytesPerToken = 8;
/// Of tokens that stood in an answer before: so many in a row say that it repeats itself.
constexpr std::size_t kRepeatedTokens = 4;

GrammarPoints advance(const AnswerGrammar& grammar, const GrammarPoints& points, char byte) {
  GrammarPoints next;
  for (const GrammarPoint& point : points) grammar.advance(point, byte, next);
  if (!std::ranges::is_sorted(next)) std::ranges::sort(next);
  next.erase(std::unique(next.begin(), next.end()), next.end());
  return next;
}

/// What followed the last tokens where they stood before, the last time; going round, if that is near.
std::vector<TokenId> repeated_tokens(std::span<const TokenId> ids, std::size_t max_tokens) {
  if (ids.size() <= kRepeatedTokens) return {};
  const auto last = ids.last(kRepeatedTokens);
  const auto before = ids.first(ids.size() - 1);
  const auto found = std::ranges::find_end(before, last);
  if (found.empty()) return {};
  const auto round = static_cast<std::size_t>(ids.end() - found.end());
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < max_tokens; ++i) tokens.push_back(ids[ids.size() - round + i % round]);
  return tokens;
}

TokenAlphabet alphabet_of(const Tokenizer& tokenizer, const PieceTrie& pieces) {
  return {.writable = pieces.single_bytes(),
          .drops_first_space = tokenizer.drops_first_space(),
          .fewest_tokens = [&pieces](std::string_view text) { return pieces.fewest_tokens(text); }};
}

}  // namespace

AnswerGuide::AnswerGuide(const OutputFormat& format, std::string_view text, const Tokenizer& tokenizer,
                         const PieceTrie& pieces)
    : tokenizer_(tokenizer), pieces_(pieces), grammar_(format.grammar(text, alphabet_of(tokenizer, pieces))) {}

GrammarPoints AnswerGuide::after(const GrammarPoints& points, std::string_view bytes) const {
  GrammarPoints next = points;
  for (const char byte : bytes) {
    if (next.empty()) break;
    next = advance(*grammar_, next, byte);
  }
  return next;
}

const AllowedTokens& AnswerGuide::allowed(const GrammarPoints& points) {
  if (const auto known = allowed_.find(points); known != allowed_.end()) return known->second;
  std::vector<std::pair<TokenId, std::int32_t>> found;
  collect(0, points, found);
  std::ranges::sort(found);
  AllowedTokens result;
  for (const auto& [id, to_end] : found) {
    result.ids.push_back(id);
    result.tokens_to_end.push_back(to_end);
    result.most_to_end = std::max(result.most_to_end, to_end);
  }
  result.may_stop = std::ranges::any_of(points, [&](const GrammarPoint& point) { return grammar_->may_end(point); });
  const std::size_t size = points.size() + result.ids.size();
  if (num_kept_ + size > kMostKept) forget();
  num_kept_ += size;
  return allowed_.emplace(points, std::move(result)).first->second;
}

void AnswerGuide::forget() {
  allowed_.clear();
  num_kept_ = 0;
}

void AnswerGuide::collect(std::int32_t node, const GrammarPoints& points,
                          std::vector<std::pair<TokenId, std::int32_t>>& found) const {
  for (const PieceTrie::Child& child : pieces_.children(node)) {
    const GrammarPoints next = advance(*grammar_, points, child.byte);
    if (next.empty()) continue;
    if (const std::span<const TokenId> ids = pieces_.tokens(child.node); !ids.empty()) {
      std::int32_t to_end = grammar_->tokens_to_end(next.front());
      for (const GrammarPoint& point : next) to_end = std::min(to_end, grammar_->tokens_to_end(point));
      for (const TokenId id : ids) found.emplace_back(id, to_end);
    }
    collect(child.node, next, found);
  }
}

std::string AnswerGuide::text_after(const GrammarPoints& points, std::size_t max_bytes, bool& ends) const {
  std::string result;
  GrammarPoint point = points.front();
  while (result.size() < max_bytes) {
    const std::optional<char> byte = grammar_->likely_byte(point);
    if (!byte) {
      ends = grammar_->may_end(point);
      break;
    }
    const GrammarPoints next = advance(*grammar_, {point}, *byte);
    if (next.empty()) break;
    result += *byte;
    point = next.front();
  }
  return result;
}

GrammarPoints AnswerGuide::resumed(std::span<const TokenId> ids) const {
  std::string written;
  for (const TokenId id : ids.last(std::min(ids.size(), kMostTailTokens))) written += tokenizer_.bytes(id);
  const std::optional<GrammarPoint> point = grammar_->resume_behind(written);
  return point ? GrammarPoints{*point} : GrammarPoints{};
}

/// `text` as the tokens that encode() makes of it behind those written.
std::vector<TokenId> AnswerGuide::continuation(std::span<const TokenId> ids, const std::string& text) const {
  // From the last token that begins a word on, or from the answer's beginning.
  std::size_t num_tail = 0;
  std::string tail;
  while (num_tail < std::min(ids.size(), kMostTailTokens) && !tail.starts_with(' ')) {
    ++num_tail;
    tail.insert(0, tokenizer_.bytes(ids[ids.size() - num_tail]));
  }
  tail += text;
  const bool drops = tokenizer_.drops_first_space();
  if (!utf8::is_valid(tail)) return {};
  std::vector<TokenId> encoded = tokenizer_.encode(drops && tail.starts_with(' ') ? tail.substr(1) : tail);
  const std::span<const TokenId> written = ids.subspan(ids.size() - num_tail);
  if (encoded.size() >= num_tail && std::equal(written.begin(), written.end(), encoded.begin())) {
    encoded.erase(encoded.begin(), encoded.begin() + static_cast<std::ptrdiff_t>(num_tail));
    return encoded;
  }
  if (!utf8::is_valid(text)) return {};
  if (!drops) return tokenizer_.encode(text);
  // Without the space that encode() puts in front: behind a line break, which is a token of its own.
  encoded = tokenizer_.encode("\n" + text);
  const auto line_break = std::ranges::find_if(encoded, [&](TokenId id) { return tokenizer_.bytes(id) == "\n"; });
  if (line_break == encoded.end()) return {};
  return {std::next(line_break), encoded.end()};
}

std::vector<TokenId> AnswerGuide::likely_tokens(const GrammarPoints& points, std::span<const TokenId> ids,
                                                std::size_t max_tokens, TokenId stop) const {
  if (max_tokens == 0) return {};
  if (points.empty()) return repeated_tokens(ids, max_tokens);
  const std::size_t max_bytes = (max_tokens + 1) * kBytesPerToken;
  bool ends = false;
  std::string text = text_after(points, max_bytes, ends);
  if (text.empty()) return ends ? std::vector{stop} : std::vector<TokenId>{};
  if (const std::size_t cut = utf8::find_invalid(text); cut != text.npos) text.erase(cut);  // a part of a character
  std::vector<TokenId> tokens = continuation(ids, text);
  if (ends) {
    tokens.push_back(stop);
  } else if (!tokens.empty()) {
    tokens.pop_back();  // what follows may join it
  }
  if (tokens.size() > max_tokens) tokens.resize(max_tokens);
  return tokens;
}

}  // namespace entune
