#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entune {

using TokenId = std::int32_t;

/// Text <-> ids of plain text. Never produces a control id from text: those are inserted by id (ChatEncoder).
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Ids of `text` (valid UTF-8), without BOS, EOS or any control token.
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;
  /// The bytes of `ids`; control ids give nothing. Not necessarily valid UTF-8 (an answer can end inside a character).
  virtual std::string decode(std::span<const TokenId> ids) const = 0;
  /// What `id` adds to decode()'s text where it is not the first: empty for control tokens.
  virtual std::string_view bytes(TokenId id) const = 0;
  /// Whether decode() leaves out a space with which the text begins (encode() puts one in front).
  virtual bool drops_first_space() const { return false; }
  virtual std::int64_t vocab_size() const = 0;
  /// Id of a control token by its spelling ("</s>", "<|im_end|>"), or nullopt.
  virtual std::optional<TokenId> control_id(std::string_view spelling) const = 0;
  /// Spelling of any id, for people (inspect-data).
  virtual std::string piece(TokenId id) const = 0;
};

/// tokenizer.model (sentencepiece) or tokenizer.json (byte-level BPE) of a Hugging Face directory. Throws InputError for a
/// directory with neither, or for a kind that is not supported (named).
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& model_directory);

/// What a byte-level BPE tokenizer is made of: the tables of tokenizer.json, or of a GGUF file.
struct BpeTables {
  std::vector<std::string> pieces;             ///< by id, in GPT-2's byte alphabet
  std::vector<std::string> merges;             ///< "left right", best first
  std::string pre_tokenizer;                   ///< smollm | gpt2 | llama3 | qwen2
  std::vector<TokenId> control_ids;
  bool ignore_merges = false;                  ///< llama3: a word that is a piece is taken whole
  std::vector<TokenId> added_ids;              ///< plain tokens matched in text by their spelling before it is cut into words (Qwen)
};
std::unique_ptr<Tokenizer> make_bpe_tokenizer(BpeTables tables);
/// tokenizer.json and tokenizer_config.json with these tables, as transformers reads them. bos, eos and pad are spellings.
void write_bpe_tokenizer(const std::filesystem::path& directory, const BpeTables& tables, const std::string& bos, const std::string& eos,
                         const std::string& pad, const std::string& unk, const std::string& chat_template);

}  // namespace entune
