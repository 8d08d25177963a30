#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/tokens/pre_tokenizer.h"
#include "data/tokens/tokenizer.h"

namespace entune {

/// Byte-level byte-pair encoding (Sennrich et al. 2016, on bytes: Radford et al. 2019): text is cut into words, and in
/// each word the pair of neighbours whose merge stands first in the list is joined until none is left; among equal ones
/// the leftmost goes first. Ids equal those of the `tokenizers` package with encode_special_tokens = true. Safe to use
/// from several threads.
///
/// decode(encode(x)) == x but for bytes that the vocabulary lacks: those give no token, as in `tokenizers` (SmolLM2
/// lacks six control characters and the lead bytes of planes 4 to 11).
class BpeTokenizer : public Tokenizer {
 public:
  /// Throws InputError for tables that do not fit together.
  explicit BpeTokenizer(BpeTables tables);

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::string_view bytes(TokenId id) const override;
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(tables_.pieces.size()); }
  std::optional<TokenId> control_id(std::string_view spelling) const override;
  std::string piece(TokenId id) const override;

 private:
  struct Merge {
    std::int32_t rank;
    TokenId result;
  };

  void encode_text_between_added(std::string_view text, std::vector<TokenId>& ids) const;
  void encode_word(std::string_view word, std::vector<TokenId>& ids) const;
  std::vector<TokenId> merge_word(std::string_view word) const;

  BpeTables tables_;
  PreTokenizer pre_tokenizer_;
  std::vector<std::string> bytes_;                        // by id; empty for control tokens
  std::vector<bool> is_control_;                          // by id
  std::vector<TokenId> byte_ids_;                         // by byte; -1: no token
  std::unordered_map<std::string, TokenId> control_ids_;  // by spelling
  std::vector<TokenId> added_;                            // tokens found in text before anything else, longest first
  std::unordered_map<std::string, TokenId> whole_words_;  // with ignore_merges: by bytes
  std::unordered_map<std::uint64_t, Merge> merges_;       // by left id << 32 | right id
  mutable std::mutex cache_mutex_;
  mutable std::unordered_map<std::string, std::vector<TokenId>> cache_;  // words met before
};

}  // namespace entune
