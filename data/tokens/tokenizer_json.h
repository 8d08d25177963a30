#pragma once

#include <filesystem>

#include "data/tokens/tokenizer.h"

namespace entune {

/// Reads the tokenizer.json of the `tokenizers` package, as far as it describes byte-level BPE: model BPE;
/// pre-tokenizer ByteLevel, Sequence[Digits(individual), ByteLevel] or Sequence[Split(pattern of llama3, qwen2 or
/// gpt2), ByteLevel]; decoder ByteLevel. Everything else is refused by name with InputError.
///
/// Added tokens: special ones become control ids, the others are matched in text (BpeTables::added_ids); one that asks
/// for stripping or whole words is refused. A normalizer NFC (Qwen2) is accepted and not applied: answers copy the text
/// as it stands, so it must be encoded as it stands; ids equal those of transformers for text that is in NFC already.
/// Truncation, padding and the post-processor are not read: ids of control tokens are put in by ChatEncoder.
BpeTables read_tokenizer_json(const std::filesystem::path& file);

/// The regular expression by which a pre-tokenizer's Split is named in tokenizer.json: llama3, qwen2 or gpt2.
std::string split_pattern(std::string_view pre_tokenizer);

}  // namespace entune
