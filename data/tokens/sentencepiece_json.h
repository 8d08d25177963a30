#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "data/tokens/sentencepiece_tables.h"
#include "data/tokens/tokenizer.h"

namespace entune {

/// What tokenizer.json lists as added tokens: the control tokens of `tokenizer` and the unknown piece, which
/// transformers takes for special ones, and the user-defined pieces, which sentencepiece finds in text. Of a tokenizer
/// without tables (they may be empty) the control tokens alone.
nlohmann::json sentencepiece_added_tokens(const SentencePieceTables& tables, const Tokenizer& tokenizer);

/// A tokenizer.json by which the `tokenizers` package gives the ids of `tokenizer`, which the tables are of: BPE with
/// byte fallback over the same pieces; the pairs that can be joined in the order of their scores; a space before each
/// text between control tokens where the model adds one. With `bos`, a call that asks for special tokens begins with
/// it.
nlohmann::json sentencepiece_tokenizer_json(const SentencePieceTables& tables, const Tokenizer& tokenizer,
                                            std::optional<TokenId> bos);

}  // namespace entune
