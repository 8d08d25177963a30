#include "trainer/weights/tokenizer_files.h"

#include "data/tokens/tokenizer_export.h"
#include "trainer/weights/output_file.h"

namespace entune {
namespace {

constexpr const char* kTokenizerFiles[] = {"tokenizer.json",
                                           "tokenizer.model",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "chat_template.jinja",
                                           "vocab.json",
                                           "merges.txt"};

}  // namespace

void copy_tokenizer_files(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* name : kTokenizerFiles) {
    const bool same = std::filesystem::exists(to / name) && std::filesystem::equivalent(from, to);
    if (!same && std::filesystem::exists(from / name)) {
      copy_whole_file(from / name, to / name);
    }
  }
}

std::string write_tokenizer_files(const std::filesystem::path& from, const std::filesystem::path& to,
                                  const std::string& chat_family) {
  const ExportedTokenizer exported = export_tokenizer(from, chat_family);
  for (const char* name : kTokenizerFiles) {
    std::filesystem::remove(to / name);
  }
  for (const auto& [name, content] : exported.files) {
    write_text_file(to / name, content);
  }
  return exported.difference;
}

}  // namespace entune
