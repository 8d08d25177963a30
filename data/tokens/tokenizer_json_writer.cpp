#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "data/input_error.h"
#include "data/tokens/pre_tokenizer.h"
#include "data/tokens/tokenizer.h"
#include "data/tokens/tokenizer_json.h"

namespace entune {
namespace {

using Json = nlohmann::json;

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json pre_tokenizer_json(const std::string& name) {
  if (name == "gpt2") return byte_level(true);
  Json first;
  if (name == "smollm") {
    first = {{"type", "Digits"}, {"individual_digits", true}};
  } else {
    first = {
        {"type", "Split"}, {"pattern", {{"Regex", split_pattern(name)}}}, {"behavior", "Isolated"}, {"invert", false}};
  }
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({first, byte_level(name == "smollm")})}};
}

Json added_token(const BpeTables& tables, TokenId id, bool special) {
  return {{"id", id},
          {"content", tables.pieces.at(static_cast<std::size_t>(id))},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", false},
          {"special", special}};
}

Json model_json(const BpeTables& tables) {
  Json vocab = Json::object();
  for (std::size_t id = 0; id < tables.pieces.size(); ++id) {
    const std::string& piece = tables.pieces[id];
    if (piece.empty()) continue;
    if (!utf8::is_valid(piece.begin(), piece.end())) {
      throw InputError(fmt::format("tokenizer: expected every piece in UTF-8, found token {} with other bytes", id));
    }
    if (!vocab.emplace(piece, id).second) {
      throw InputError(fmt::format(
          "tokenizer: expected every piece once, found that of token {} again; the vocabulary is damaged", id));
    }
  }
  Json merges = Json::array();
  for (const std::string& merge : tables.merges) merges.push_back(merge);
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", tables.ignore_merges},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

void write(const std::filesystem::path& file, const Json& content) {
  std::ofstream stream(file, std::ios::binary);
  stream << content.dump(2) << '\n';
  stream.close();
  if (!stream) throw std::runtime_error(fmt::format("{}: cannot be written", file.string()));
}

}  // namespace

void write_bpe_tokenizer(const std::filesystem::path& directory, const BpeTables& tables, const std::string& bos,
                         const std::string& eos, const std::string& pad, const std::string& unk,
                         const std::string& chat_template) {
  make_bpe_tokenizer(tables);  // throws InputError for tables that cannot be read back

  std::vector<std::pair<TokenId, bool>> added;
  for (const TokenId id : tables.control_ids) added.emplace_back(id, true);
  for (const TokenId id : tables.added_ids) added.emplace_back(id, false);
  std::sort(added.begin(), added.end());
  Json added_tokens = Json::array();
  for (const auto& [id, special] : added) added_tokens.push_back(added_token(tables, id, special));

  write(directory / "tokenizer.json", {{"version", "1.0"},
                                       {"truncation", nullptr},
                                       {"padding", nullptr},
                                       {"added_tokens", std::move(added_tokens)},
                                       {"normalizer", nullptr},
                                       {"pre_tokenizer", pre_tokenizer_json(tables.pre_tokenizer)},
                                       {"post_processor", nullptr},
                                       {"decoder", byte_level(true)},
                                       {"model", model_json(tables)}});

  // A class that takes tokenizer.json as it stands: GPT2Tokenizer would put its own pre-tokenizer in the place of ours.
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"add_prefix_space", false},
                 {"clean_up_tokenization_spaces", false}};
  const std::pair<const char*, const std::string&> tokens[] = {
      {"bos_token", bos}, {"eos_token", eos}, {"pad_token", pad}, {"unk_token", unk}, {"chat_template", chat_template}};
  for (const auto& [key, value] : tokens) {
    if (!value.empty()) config[key] = value;
  }
  write(directory / "tokenizer_config.json", config);
}

}  // namespace entune
