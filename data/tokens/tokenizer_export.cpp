#include "data/tokens/tokenizer_export.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "data/input_error.h"
#include "data/tokens/chat_encoder.h"
#include "data/tokens/sentencepiece_json.h"

namespace entune {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Fields of tokenizer_config.json that change no id.
constexpr const char* kKeptFields[] = {"model_max_length", "padding_side", "truncation_side", "model_input_names"};

std::string read_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw InputError(fmt::format("{}: expected a readable file, found none", file.string()));
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// An object; an empty one where there is no such file.
json read_object(const fs::path& file) {
  if (!fs::is_regular_file(file)) return json::object();
  json object = json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object())
    throw InputError(fmt::format("{}: expected a JSON object, found none; fetch the file again", file.string()));
  return object;
}

/// Spelling of "bos_token" and the like: a string, or an object with one.
std::optional<std::string> spelling_of(const json& object, const char* role) {
  const auto found = object.find(role);
  if (found == object.end()) return std::nullopt;
  const json& content = found->is_object() && found->contains("content") ? found->at("content") : *found;
  return content.is_string() ? std::optional(content.get<std::string>()) : std::nullopt;
}

/// The tokenizer of one directory, on its way to files.
class Exporter {
 public:
  Exporter(const fs::path& directory, std::string_view chat_family)
      : directory_(directory),
        tokenizer_(load_tokenizer(directory)),
        encoder_(make_chat_encoder(chat_family, *tokenizer_)),
        says_(read_object(directory / "tokenizer_config.json")),
        older_(read_object(directory / "special_tokens_map.json")) {}

  ExportedTokenizer run() {
    // It takes tokenizer.json as it stands; LlamaTokenizer, GPT2Tokenizer and others put their own parts into it.
    config_["tokenizer_class"] = "PreTrainedTokenizerFast";
    if (fs::is_regular_file(directory_ / "tokenizer.model")) {
      add_sentencepiece();
    } else {
      add_byte_level();
    }
    for (const json& token : added_tokens_) {
      json without_id = token;
      without_id.erase("id");
      config_["added_tokens_decoder"][token.at("id").dump()] = std::move(without_id);
      if (token.value("special", false)) special_.insert(token.at("content").get<std::string>());
    }
    for (const char* role : {"bos_token", "unk_token", "pad_token"}) {
      if (const auto spelling = special_token(role); spelling && special_.contains(*spelling))
        config_[role] = *spelling;
    }
    config_["eos_token"] = tokenizer_->piece(encoder_->stop_ids().front());
    config_["clean_up_tokenization_spaces"] = false;  // it takes spaces out of answers
    for (const char* field : kKeptFields) {
      if (says_.contains(field)) config_[field] = says_.at(field);
    }
    config_["chat_template"] = encoder_->chat_template();
    exported_.files["tokenizer_config.json"] = config_.dump(2) + "\n";
    return std::move(exported_);
  }

 private:
  void add_sentencepiece() {
    const fs::path model = directory_ / "tokenizer.model";
    exported_.files["tokenizer.model"] = read_file(model);
    const std::optional<std::string> bos = special_token("bos_token");
    const bool wants_bos = bos && says_.value("add_bos_token", json(true)) != false;
    const std::optional<TokenId> bos_id = wants_bos ? tokenizer_->control_id(*bos) : std::nullopt;
    const std::optional<SentencePieceTables> tables = read_sentencepiece_tables(model);
    if (tables) {
      const json content = sentencepiece_tokenizer_json(*tables, *tokenizer_, bos_id);
      added_tokens_ = content.at("added_tokens");
      exported_.files["tokenizer.json"] = content.dump() + "\n";
    } else {
      added_tokens_ = sentencepiece_added_tokens({}, *tokenizer_);
      config_["tokenizer_class"] = "LlamaTokenizer";
      exported_.difference =
          "the sentencepiece model is not of byte-pair encoding, or has unused pieces: transformers makes a tokenizer "
          "of its own from it, which may give other ids";
    }
    config_["add_bos_token"] = bos_id.has_value();
    config_["add_eos_token"] = false;
  }

  void add_byte_level() {
    json content = json::parse(read_file(directory_ / "tokenizer.json"));
    for (const char* field : {"normalizer", "truncation", "padding"}) content[field] = nullptr;
    added_tokens_ = content.value("added_tokens", json::array());
    exported_.files["tokenizer.json"] = content.dump() + "\n";
    config_["add_prefix_space"] = false;
    // Its AutoTokenizer takes no other class than Qwen2Tokenizer for this type.
    if (spelling_of(read_object(directory_ / "config.json"), "model_type") == "qwen2") {
      exported_.difference =
          "transformers 5 brings the texts of a qwen2 model into Unicode's form NFC, and Entune does not: text in "
          "another form, such as accents apart from their letters, gets other ids there";
    }
  }

  /// As tokenizer_config.json names it, or the older special_tokens_map.json, or Llama's.
  std::optional<std::string> special_token(const char* role) const {
    if (says_.contains(role)) return spelling_of(says_, role);
    if (older_.contains(role)) return spelling_of(older_, role);
    const bool is_bos = std::string_view(role) == "bos_token";
    return is_bos && tokenizer_->control_id("<s>") ? std::optional<std::string>("<s>") : std::nullopt;
  }

  const fs::path directory_;
  const std::unique_ptr<Tokenizer> tokenizer_;
  const std::unique_ptr<ChatEncoder> encoder_;
  const json says_, older_;
  ExportedTokenizer exported_;
  json config_ = json::object();
  json added_tokens_ = json::array();
  std::set<std::string> special_;
};

}  // namespace

ExportedTokenizer export_tokenizer(const fs::path& model_directory, std::string_view chat_family) {
  return Exporter(model_directory, chat_family).run();
}

}  // namespace entune
