#include "data/tokens/tokenizer_json.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/input_error.h"

namespace entune {
namespace {

using nlohmann::json;

constexpr TokenId kMaxId = 1 << 24;  // no vocabulary is near it: a larger id is damage

/// Reads one file; every error names it.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(file.string()) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) refuse("a readable file", "none");
    root_ = json::parse(stream);
  }

  BpeTables read() {
    read_normalizer();
    read_pre_tokenizer(at(root_, "pre_tokenizer"));
    const json& decoder = at(root_, "decoder");
    if (type_of(decoder) != "ByteLevel") refuse("decoder ByteLevel", type_of(decoder));
    read_model(at(root_, "model"));
    read_added_tokens();
    return std::move(tables_);
  }

 private:
  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const {
    throw InputError(fmt::format(
        "{}: expected {}, found {}; use a model whose tokenizer is byte-level BPE of the kind of SmolLM2, GPT-2, "
        "Llama 3 or Qwen2, or a sentencepiece model",
        file_, expected, found));
  }

  const json& at(const json& object, const char* key) const {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end()) refuse(fmt::format("a field \"{}\"", key), "none");
    return *found;
  }

  std::string type_of(const json& component) const {
    if (component.is_null()) return "null";
    return at(component, "type").get<std::string>();
  }

  void read_normalizer() const {
    const std::string type = root_.contains("normalizer") ? type_of(root_.at("normalizer")) : "null";
    if (type != "null" && type != "NFC") refuse("no normalizer, or NFC", type);
  }

  /// The rule's ByteLevel: no space put before the text; with its own pattern or without.
  void check_byte_level(const json& component, bool use_regex) const {
    if (type_of(component) != "ByteLevel") refuse("pre-tokenizer ByteLevel", type_of(component));
    if (component.value("add_prefix_space", true)) refuse("ByteLevel with add_prefix_space false", "true");
    if (component.value("use_regex", true) != use_regex)
      refuse(fmt::format("ByteLevel with use_regex {}", use_regex), "the opposite");
  }

  void read_pre_tokenizer(const json& component) {
    if (type_of(component) == "ByteLevel") {
      check_byte_level(component, true);
      tables_.pre_tokenizer = "gpt2";
      return;
    }
    if (type_of(component) != "Sequence") refuse("pre-tokenizer ByteLevel or Sequence", type_of(component));
    const json& parts = at(component, "pretokenizers");
    if (parts.size() != 2) refuse("a Sequence of two pre-tokenizers", std::to_string(parts.size()));
    const std::string first = type_of(parts.at(0));
    if (first == "Digits") {
      if (!parts.at(0).value("individual_digits", false)) refuse("Digits with individual_digits", "without");
      check_byte_level(parts.at(1), true);
      tables_.pre_tokenizer = "smollm";
    } else if (first == "Split") {
      const json& split = parts.at(0);
      if (at(split, "behavior") != "Isolated" || at(split, "invert") != false) {
        refuse("Split with behavior Isolated, not inverted", "another");
      }
      const json& pattern = at(split, "pattern");
      if (!pattern.contains("Regex")) refuse("Split by a Regex", "another pattern");
      check_byte_level(parts.at(1), false);
      for (const char* name : {"llama3", "qwen2", "gpt2"}) {
        if (pattern.at("Regex") == split_pattern(name)) tables_.pre_tokenizer = name;
      }
      if (tables_.pre_tokenizer.empty()) refuse("the Split pattern of Llama 3, Qwen2 or GPT-2", "another");
    } else {
      refuse("Digits or Split before ByteLevel", first);
    }
  }

  void read_model(const json& model) {
    if (type_of(model) != "BPE") refuse("model BPE", type_of(model));
    for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
      if (model.contains(key) && !model.at(key).is_null() && model.at(key) != "" && model.at(key) != 0.0) {
        refuse(fmt::format("no {}", key), "one");
      }
    }
    for (const char* key : {"fuse_unk", "byte_fallback"}) {
      if (model.value(key, false)) refuse(fmt::format("{} false", key), "true");
    }
    tables_.ignore_merges = model.value("ignore_merges", false);
    for (const auto& [piece, id] : at(model, "vocab").items()) set_piece(id, piece);
    for (const json& merge : at(model, "merges")) tables_.merges.push_back(read_merge(merge));
  }

  /// Both spellings in use: "left right" and ["left", "right"].
  std::string read_merge(const json& merge) const {
    if (merge.is_string()) return merge.get<std::string>();
    if (merge.size() != 2) refuse("merges of two pieces", std::to_string(merge.size()));
    return merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>();
  }

  void read_added_tokens() {
    if (!root_.contains("added_tokens")) return;
    for (const json& token : root_.at("added_tokens")) {
      const TokenId id = set_piece(at(token, "id"), at(token, "content").get<std::string>());
      if (token.value("special", false)) {
        tables_.control_ids.push_back(id);
        continue;
      }
      for (const char* key : {"single_word", "lstrip", "rstrip"}) {
        if (token.value(key, false)) refuse(fmt::format("added token {} without {}", id, key), "with it");
      }
      tables_.added_ids.push_back(id);
    }
  }

  TokenId set_piece(const json& id_field, const std::string& piece) {
    const auto id = id_field.is_number_integer() ? id_field.get<std::int64_t>() : -1;
    if (id < 0 || id >= kMaxId) refuse(fmt::format("token ids in [0, {})", kMaxId), id_field.dump());
    const auto index = static_cast<std::size_t>(id);
    if (tables_.pieces.size() <= index) tables_.pieces.resize(index + 1);
    if (!tables_.pieces[index].empty() && tables_.pieces[index] != piece) {
      refuse(fmt::format("one spelling of token {}", id), "two");
    }
    tables_.pieces[index] = piece;
    return static_cast<TokenId>(id);
  }

  std::string file_;
  json root_;
  BpeTables tables_;
};

}  // namespace

BpeTables read_tokenizer_json(const std::filesystem::path& file) {
  try {
    return Reader(file).read();
  } catch (const json::exception& error) {
    // nlohmann's own text quotes the file: its number and the place are enough
    const auto* parse = dynamic_cast<const json::parse_error*>(&error);
    throw InputError(
        fmt::format("{}: expected a tokenizer.json of byte-level BPE, found {} (JSON error {}{}); fetch the file again",
                    file.string(), parse ? "broken JSON" : "a field of another type", error.id,
                    parse ? fmt::format(" at byte {}", parse->byte) : ""));
  }
}

std::string split_pattern(std::string_view pre_tokenizer) {
  if (pre_tokenizer == "gpt2") return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  const char* digits = pre_tokenizer == "llama3" ? "{1,3}" : "";
  return fmt::format(
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|)"
      R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
      digits);
}

}  // namespace entune
