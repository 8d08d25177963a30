#include "data/tokens/sentencepiece_json.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "data/tokens/chat_turns.h"

namespace entune {
namespace {

using Json = nlohmann::json;

constexpr const char* kSpaceSign = "\xE2\x96\x81";  // U+2581

/// "left right" for every two normal pieces that make a third, those first that make one of a higher score.
Json merges_of(const SentencePieceTables& tables) {
  std::unordered_map<std::string_view, std::size_t> ids;
  std::vector<std::size_t> by_score;
  for (std::size_t id = 0; id < tables.size(); ++id) {
    if (tables[id].kind != PieceKind::normal) continue;
    ids.emplace(tables[id].spelling, id);
    by_score.push_back(id);
  }
  std::stable_sort(by_score.begin(), by_score.end(),
                   [&](std::size_t a, std::size_t b) { return tables[a].score > tables[b].score; });
  Json merges = Json::array();
  for (const std::size_t id : by_score) {
    const std::string_view whole = tables[id].spelling;
    // A border within a character leaves no piece on its left: pieces are UTF-8.
    for (std::size_t border = 1; border < whole.size(); ++border) {
      const std::string_view left = whole.substr(0, border), right = whole.substr(border);
      if (ids.contains(left) && ids.contains(right)) merges.push_back(std::string(left) + " " + std::string(right));
    }
  }
  return merges;
}

Json vocabulary_of(const SentencePieceTables& tables) {
  Json vocabulary = Json::object();
  for (std::size_t id = 0; id < tables.size(); ++id) vocabulary.emplace(tables[id].spelling, id);
  return vocabulary;
}

Json replace(const char* what, const char* by) {
  return {{"type", "Replace"}, {"pattern", {{"String", what}}}, {"content", by}};
}

Json sequence(const char* name, Json parts) { return {{"type", "Sequence"}, {name, std::move(parts)}}; }

Json decoder(bool adds_space) {
  Json parts = {replace(kSpaceSign, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (adds_space) parts.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return sequence("decoders", std::move(parts));
}

Json normalizer(bool adds_space) {
  Json parts = Json::array();
  if (adds_space) parts.push_back({{"type", "Prepend"}, {"prepend", kSpaceSign}});
  parts.push_back(replace(" ", kSpaceSign));
  return sequence("normalizers", std::move(parts));
}

/// Puts `bos` before each text of a call that asks for special tokens (apply_chat_template does not).
Json post_processor(const Tokenizer& tokenizer, TokenId bos) {
  const std::string spelling = tokenizer.piece(bos);
  const auto special = [&](int type) { return Json{{"SpecialToken", {{"id", spelling}, {"type_id", type}}}}; };
  const auto text = [](const char* name, int type) { return Json{{"Sequence", {{"id", name}, {"type_id", type}}}}; };
  return {{"type", "TemplateProcessing"},
          {"single", {special(0), text("A", 0)}},
          {"pair", {special(0), text("A", 0), special(1), text("B", 1)}},
          {"special_tokens",
           {{spelling, {{"id", spelling}, {"ids", Json::array({bos})}, {"tokens", Json::array({spelling})}}}}}};
}

}  // namespace

Json sentencepiece_added_tokens(const SentencePieceTables& tables, const Tokenizer& tokenizer) {
  Json added = Json::array();
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string spelling = tokenizer.piece(id);
    const auto index = static_cast<std::size_t>(id);
    const PieceKind kind = index < tables.size() ? tables[index].kind : PieceKind::normal;
    const bool is_special = tokenizer.control_id(spelling) == id || kind == PieceKind::unknown;
    if (!is_special && kind != PieceKind::user_defined) continue;
    added.push_back({{"id", id},
                     {"content", spelling},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", is_special}});
  }
  return added;
}

Json sentencepiece_tokenizer_json(const SentencePieceTables& tables, const Tokenizer& tokenizer,
                                  std::optional<TokenId> bos) {
  const bool adds_space = adds_space_before_text(tokenizer);
  Json unknown;
  for (const SentencePiece& piece : tables) {
    if (piece.kind == PieceKind::unknown) unknown = piece.spelling;
  }
  const Json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", unknown},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", true},
                      {"byte_fallback", true},
                      {"ignore_merges", false},
                      {"vocab", vocabulary_of(tables)},
                      {"merges", merges_of(tables)}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", sentencepiece_added_tokens(tables, tokenizer)},
          {"normalizer", normalizer(adds_space)},
          {"pre_tokenizer", nullptr},
          {"post_processor", bos ? post_processor(tokenizer, *bos) : Json()},
          {"decoder", decoder(adds_space)},
          {"model", model}};
}

}  // namespace entune
