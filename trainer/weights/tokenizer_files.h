#pragma once

#include <filesystem>
#include <string>

namespace entune {

/// Copies what files of a tokenizer stand in `from`; `to` may be the same directory.
void copy_tokenizer_files(const std::filesystem::path& from, const std::filesystem::path& to);

/// Writes to `to` the files of the tokenizer in `from` with which transformers gives the ids that Entune trains with in
/// this chat family, and removes other files of a tokenizer from there (`to` may be `from`). Returns what transformers
/// does otherwise all the same; empty: nothing. See export_tokenizer() in data/tokens/tokenizer_export.h. One process
/// does it.
std::string write_tokenizer_files(const std::filesystem::path& from, const std::filesystem::path& to,
                                  const std::string& chat_family);

}  // namespace entune
