#pragma once

#include <filesystem>
#include <memory>

#include "data/tokens/tokenizer.h"

namespace entune {

/// The sentencepiece model `directory`/tokenizer.model, and the control tokens that tokenizer_config.json or
/// added_tokens.json put behind its vocabulary, below the vocab_size of config.json if there is one. Throws InputError for a damaged file, for a model that changes text (a
/// normalizer, no byte pieces), and for added tokens that are not special.
///
/// decode(encode(x)) == x for every valid UTF-8 text. Two things that sentencepiece alone does otherwise: U+2581, its
/// own sign for a space, is encoded by its bytes; and user-defined pieces spelt `<|...|>` (Yi's chat marks) count as
/// control tokens, so text that holds such a spelling gets plain pieces. A model that puts a space before the text
/// (Llama-2, Mistral) does so in every call of encode, and decode takes one leading space off.
std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const std::filesystem::path& directory);

}  // namespace entune
