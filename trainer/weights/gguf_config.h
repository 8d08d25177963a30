#pragma once

#include <string>

#include "data/tokens/tokenizer.h"
#include "trainer/model/llama_config.h"
#include "trainer/weights/gguf_file.h"

namespace entune {

/// The tokenizer of a GGUF file, as write_bpe_tokenizer() takes it. Spellings are empty where the file names no such
/// token.
struct GgufTokenizer {
  BpeTables tables;
  std::string bos, eos, pad, unk;
  std::string chat_template;
};

/// Shape, constants and special ids of a GGUF file of the llama architecture. Throws InputError for what is missing,
/// impossible or not supported.
LlamaConfig read_gguf_config(const GgufFile& file);
/// Its byte-level BPE tables. Throws InputError for another kind of tokenizer or pre-tokenizer, by name.
GgufTokenizer read_gguf_tokenizer(const GgufFile& file);

}  // namespace entune
