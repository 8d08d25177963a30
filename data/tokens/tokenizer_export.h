#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace entune {

/// The tokenizer's files of an exported model, by name, with what they hold.
struct ExportedTokenizer {
  std::map<std::string, std::string> files;
  /// What transformers does otherwise with them than Entune, for all texts, as half a sentence; empty: nothing.
  std::string difference;
};

/// The names that export_tokenizer() gives, all of them.
inline constexpr std::string_view kExportedTokenizerFiles[] = {"tokenizer.json", "tokenizer.model",
                                                               "tokenizer_config.json"};

/// Files with which transformers' AutoTokenizer gives Entune's ids: for a text, those of Tokenizer::encode(), and for a
/// conversation, by apply_chat_template, those of the family's ChatEncoder. Entune reads them back as the same
/// tokenizer. From the files of `model_directory`, which say less or otherwise:
///
///   tokenizer.json         byte-level BPE: that of the directory, without its normalizer (Entune encodes texts as they
///                          stand), truncation and padding. sentencepiece: made from tokenizer.model; before every text
///                          between control tokens a space, where the model adds one (transformers 5 makes of a
///                          tokenizer.model alone a tokenizer that does so at the start at most)
///   tokenizer.model        sentencepiece: as it is
///   tokenizer_config.json  the class that takes tokenizer.json as it stands, the special tokens of the directory, the
///                          answers' end token as eos_token, the chat template of the family
///
/// chat_template.jinja, special_tokens_map.json and added_tokens.json would go before or beside these; they are left
/// out. Equal ids need texts that spell no control token (transformers finds them in text), and with sentencepiece no
/// U+2581 (its sign for a space) and no user-defined piece. Throws InputError as load_tokenizer and make_chat_encoder.
ExportedTokenizer export_tokenizer(const std::filesystem::path& model_directory, std::string_view chat_family);

}  // namespace entune
