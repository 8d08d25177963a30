#include "data/tokens/bpe_tokenizer.h"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <queue>
#include <utility>

#include "data/input_error.h"
#include "data/tokens/byte_alphabet.h"

namespace entune {
namespace {

constexpr std::size_t kMaxCachedWords = 1 << 16;
constexpr std::size_t kMaxCachedBytes = 64;

std::uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

void check_id(TokenId id, std::size_t size, const char* what) {
  if (id < 0 || static_cast<std::size_t>(id) >= size) {
    throw InputError(
        fmt::format("tokenizer: expected {} in [0, {}), found {}; the vocabulary is damaged", what, size, id));
  }
}

}  // namespace

BpeTokenizer::BpeTokenizer(BpeTables tables)
    : tables_(std::move(tables)), pre_tokenizer_(tables_.pre_tokenizer), byte_ids_(256, -1) {
  const std::size_t size = tables_.pieces.size();
  bytes_.resize(size);
  is_control_.assign(size, false);
  std::vector<bool> is_added(size, false);
  for (const TokenId id : tables_.control_ids) {
    check_id(id, size, "a control id");
    is_control_[static_cast<std::size_t>(id)] = true;
    control_ids_.emplace(tables_.pieces[static_cast<std::size_t>(id)], id);
  }
  for (const TokenId id : tables_.added_ids) {
    check_id(id, size, "an added id");
    if (is_control_[static_cast<std::size_t>(id)]) {
      throw InputError(
          fmt::format("tokenizer: expected token {} to be either a control token or matched in text, found both", id));
    }
    if (tables_.pieces[static_cast<std::size_t>(id)].empty()) {
      throw InputError(fmt::format("tokenizer: expected a spelling for the added token {}, found none", id));
    }
    is_added[static_cast<std::size_t>(id)] = true;
    added_.push_back(id);
  }
  const auto spelling_size = [&](TokenId id) { return tables_.pieces[static_cast<std::size_t>(id)].size(); };
  std::stable_sort(added_.begin(), added_.end(),
                   [&](TokenId a, TokenId b) { return spelling_size(a) > spelling_size(b); });

  std::unordered_map<std::string_view, TokenId> by_spelling;
  by_spelling.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::string& piece = tables_.pieces[i];
    if (is_control_[i] || piece.empty()) continue;
    const auto id = static_cast<TokenId>(i);
    const std::optional<std::string> bytes = is_added[i] ? std::nullopt : from_byte_alphabet(piece);
    bytes_[i] = bytes.value_or(piece);
    if (!bytes) continue;  // an unused or added entry: no merge makes it
    if (!by_spelling.emplace(piece, id).second) {
      throw InputError(fmt::format(
          "tokenizer: expected every piece once, found that of token {} again; the vocabulary is damaged", id));
    }
    if (bytes->size() == 1) byte_ids_[static_cast<unsigned char>(bytes->front())] = id;
    if (tables_.ignore_merges) whole_words_.emplace(*bytes, id);
  }

  merges_.reserve(tables_.merges.size());
  for (std::size_t rank = 0; rank < tables_.merges.size(); ++rank) {
    const std::string_view merge = tables_.merges[rank];
    const std::size_t space = merge.find(' ');
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = space == std::string_view::npos ? std::string_view{} : merge.substr(space + 1);
    const auto left_id = by_spelling.find(left);
    const auto right_id = by_spelling.find(right);
    const auto result = by_spelling.find(std::string(left) + std::string(right));
    if (left_id == by_spelling.end() || right_id == by_spelling.end() || result == by_spelling.end()) {
      throw InputError(fmt::format(
          "tokenizer: expected merge {} to join two pieces of the vocabulary into a third, found one that it "
          "lacks; take vocabulary and merges from the same model",
          rank));
    }
    merges_[pair_key(left_id->second, right_id->second)] = {static_cast<std::int32_t>(rank), result->second};
  }
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text) const {
  if (const auto bad = utf8::find_invalid(text.begin(), text.end()); bad != text.end()) {
    throw InputError(
        fmt::format("tokenizer: expected UTF-8, found an invalid byte at offset {}; convert the text to UTF-8",
                    bad - text.begin()));
  }
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 4);
  // Added tokens first: the leftmost, and of those that begin there the longest.
  std::size_t begin = 0;
  while (!added_.empty() && begin < text.size()) {
    std::size_t first = std::string_view::npos;
    TokenId found = -1;
    for (const TokenId id : added_) {
      const std::size_t at = text.find(tables_.pieces[static_cast<std::size_t>(id)], begin);
      if (at < first) {
        first = at;
        found = id;
      }
    }
    if (found < 0) break;
    encode_text_between_added(text.substr(begin, first - begin), ids);
    ids.push_back(found);
    begin = first + tables_.pieces[static_cast<std::size_t>(found)].size();
  }
  encode_text_between_added(text.substr(begin), ids);
  return ids;
}

void BpeTokenizer::encode_text_between_added(std::string_view text, std::vector<TokenId>& ids) const {
  for (const std::string_view word : pre_tokenizer_.split(text)) encode_word(word, ids);
}

void BpeTokenizer::encode_word(std::string_view word, std::vector<TokenId>& ids) const {
  std::string key(word);
  if (word.size() <= kMaxCachedBytes) {
    const std::lock_guard lock(cache_mutex_);
    if (const auto cached = cache_.find(key); cached != cache_.end()) {
      ids.insert(ids.end(), cached->second.begin(), cached->second.end());
      return;
    }
  }
  std::vector<TokenId> word_ids;
  if (const auto whole = whole_words_.find(key); whole != whole_words_.end()) {
    word_ids = {whole->second};
  } else {
    word_ids = merge_word(word);
  }
  ids.insert(ids.end(), word_ids.begin(), word_ids.end());
  if (word.size() <= kMaxCachedBytes) {
    const std::lock_guard lock(cache_mutex_);
    if (cache_.size() < kMaxCachedWords) cache_.emplace(std::move(key), std::move(word_ids));
  }
}

std::vector<TokenId> BpeTokenizer::merge_word(std::string_view word) const {
  struct Symbol {
    TokenId id;  // -1: joined into its left neighbour
    std::int32_t previous;
    std::int32_t next;
  };
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (const char c : word) {
    const TokenId id = byte_ids_[static_cast<unsigned char>(c)];
    if (id < 0) continue;  // the neighbours of a byte without a token meet
    const auto index = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({id, index - 1, index + 1});
  }
  if (symbols.empty()) return {};
  symbols.back().next = -1;

  // (rank, position of the left one): the best first. Entries whose pair has changed meanwhile are passed over.
  using Candidate = std::pair<std::int32_t, std::int32_t>;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto merge_at = [&](std::int32_t left) -> const Merge* {
    const std::int32_t right = symbols[static_cast<std::size_t>(left)].next;
    if (right < 0) return nullptr;
    const auto merge =
        merges_.find(pair_key(symbols[static_cast<std::size_t>(left)].id, symbols[static_cast<std::size_t>(right)].id));
    return merge == merges_.end() ? nullptr : &merge->second;
  };
  const auto offer = [&](std::int32_t left) {
    if (const Merge* merge = merge_at(left)) candidates.emplace(merge->rank, left);
  };
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(symbols.size()); ++i) offer(i);
  while (!candidates.empty()) {
    const auto [rank, position] = candidates.top();
    candidates.pop();
    Symbol& left = symbols[static_cast<std::size_t>(position)];
    if (left.id < 0) continue;
    const Merge* merge = merge_at(position);
    if (merge == nullptr || merge->rank != rank) continue;
    Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    left.id = merge->result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = position;
    if (left.previous >= 0) offer(left.previous);
    offer(position);
  }
  std::vector<TokenId> ids;
  for (const Symbol& symbol : symbols) {
    if (symbol.id >= 0) ids.push_back(symbol.id);
  }
  return ids;
}

std::string BpeTokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (const TokenId id : ids) {
    check_id(id, bytes_.size(), "a token id");
    text += bytes_[static_cast<std::size_t>(id)];
  }
  return text;
}

std::string_view BpeTokenizer::bytes(TokenId id) const {
  check_id(id, bytes_.size(), "a token id");
  return bytes_[static_cast<std::size_t>(id)];
}

std::optional<TokenId> BpeTokenizer::control_id(std::string_view spelling) const {
  const auto found = control_ids_.find(std::string(spelling));
  return found == control_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::string BpeTokenizer::piece(TokenId id) const {
  check_id(id, tables_.pieces.size(), "a token id");
  return tables_.pieces[static_cast<std::size_t>(id)];
}

std::unique_ptr<Tokenizer> make_bpe_tokenizer(BpeTables tables) {
  return std::make_unique<BpeTokenizer>(std::move(tables));
}

}  // namespace entune
