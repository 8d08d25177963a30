#include "data/tokens/sentencepiece_tokenizer.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>
#include <utf8.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "data/input_error.h"

namespace entune {
namespace {

using nlohmann::json;

constexpr std::string_view kSpaceSign = "\xE2\x96\x81";  // U+2581

/// Value of a byte piece "<0x0A>", or nullopt.
std::optional<unsigned char> byte_of(std::string_view piece) {
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece.back() != '>') return std::nullopt;
  unsigned char byte = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  return error == std::errc() && end == piece.data() + 5 ? std::optional(byte) : std::nullopt;
}

bool looks_like_control(std::string_view piece) {
  return piece.size() > 4 && piece.substr(0, 2) == "<|" && piece.substr(piece.size() - 2) == "|>";
}

std::optional<json> read_json(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  std::ifstream stream(file, std::ios::binary);
  try {
    return json::parse(stream);
  } catch (const json::exception& error) {
    throw InputError(
        fmt::format("{}: expected JSON, found none (error {}); fetch the file again", file.string(), error.id));
  }
}

/// Added tokens by id, with whether they are special, as the directory states them.
std::map<std::int64_t, std::pair<std::string, bool>> read_added_tokens(const std::filesystem::path& directory) {
  std::map<std::int64_t, std::pair<std::string, bool>> added;
  const std::filesystem::path added_file = directory / "added_tokens.json";
  const std::filesystem::path config_file = directory / "tokenizer_config.json";
  try {
    if (const std::optional<json> tokens =
            read_json(added_file)) {  // {"spelling": id}: only chat and padding marks come this way
      for (const auto& [spelling, id] : tokens->items()) added[id.get<std::int64_t>()] = {spelling, true};
    }
    if (const std::optional<json> config = read_json(config_file); config && config->contains("added_tokens_decoder")) {
      for (const auto& [id, token] : config->at("added_tokens_decoder").items()) {
        added[std::stoll(id)] = {token.at("content").get<std::string>(), token.value("special", false)};
      }
    }
  } catch (const InputError&) {
    throw;
  } catch (const std::exception&) {
    throw InputError(fmt::format(
        "{}: expected added_tokens.json as {{spelling: id}} and added_tokens_decoder as {{id: {{content, special}}}}, "
        "found another form; fetch the files again",
        directory.string()));
  }
  return added;
}

/// vocab_size of the model's config.json; no limit where there is none (read_llama_config refuses what is wrong).
std::int64_t read_vocab_size(const std::filesystem::path& directory) {
  constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
  const std::optional<json> config = read_json(directory / "config.json");
  if (!config || !config->is_object()) return kNoLimit;
  const auto size = config->find("vocab_size");
  return size != config->end() && size->is_number_integer() ? size->get<std::int64_t>() : kNoLimit;
}

class SentencePieceTokenizer : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(const std::filesystem::path& directory)
      : file_((directory / "tokenizer.model").string()) {
    const auto status = processor_.Load(file_);
    if (!status.ok()) refuse("a sentencepiece model", "a damaged or another file");
    read_pieces();
    add_tokens(directory);
    adds_space_ =
        !processor_.EncodeAsPieces("a").empty() && processor_.EncodeAsPieces("a").front().rfind(kSpaceSign, 0) == 0;
    // Spaces at both ends and in runs, combining and full-width characters, a ligature: what the usual normalizers
    // change.
    const std::string probe = "  a  e\xCC\x81 \xEF\xBC\xA1\xEF\xAC\x81\xC2\xA0\t\n ";
    if (decode(encode(probe)) != probe) refuse("a model that keeps text as it is", "one that normalizes it");
  }

  std::vector<TokenId> encode(std::string_view text) const override {
    if (const auto bad = utf8::find_invalid(text.begin(), text.end()); bad != text.end()) {
      throw InputError(
          fmt::format("tokenizer: expected UTF-8, found an invalid byte at offset {}; convert the text to UTF-8",
                      bad - text.begin()));
    }
    const std::vector<std::size_t> guarded = guarded_offsets(text);
    std::vector<int> ids;
    if (guarded.empty()) {
      check(processor_.Encode(text, &ids));
      return {ids.begin(), ids.end()};
    }
    return encode_guarded(text, guarded);
  }

  std::string decode(std::span<const TokenId> ids) const override {
    std::string text;
    for (const TokenId id : ids) {
      check_id(id);
      text += texts_[static_cast<std::size_t>(id)];
    }
    // The space that encode put in front stands in the first piece that is text.
    if (adds_space_) {
      for (const TokenId id : ids) {
        const std::string& first = texts_[static_cast<std::size_t>(id)];
        if (first.empty()) continue;
        if (first.front() == ' ') text.erase(0, 1);
        break;
      }
    }
    return text;
  }

  std::string_view bytes(TokenId id) const override {
    check_id(id);
    return texts_[static_cast<std::size_t>(id)];
  }
  bool drops_first_space() const override { return adds_space_; }

  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(texts_.size()); }

  std::optional<TokenId> control_id(std::string_view spelling) const override {
    const auto found = control_ids_.find(std::string(spelling));
    return found == control_ids_.end() ? std::nullopt : std::optional(found->second);
  }

  std::string piece(TokenId id) const override {
    check_id(id);
    return pieces_[static_cast<std::size_t>(id)];
  }

 private:
  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const {
    throw InputError(fmt::format("{}: expected {}, found {}; use the tokenizer of a Llama, Mistral, Vicuna or Yi model",
                                 file_, expected, found));
  }

  static void check(const sentencepiece::util::Status& status) {
    if (!status.ok()) throw std::runtime_error("sentencepiece: " + status.ToString());
  }

  void check_id(TokenId id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= texts_.size()) {
      throw InputError(fmt::format("tokenizer: expected a token id in [0, {}), found {}", texts_.size(), id));
    }
  }

  void read_pieces() {
    const int size = processor_.GetPieceSize();
    byte_ids_.fill(-1);
    for (int id = 0; id < size; ++id) {
      std::string piece = processor_.IdToPiece(id);
      std::string text;
      if (processor_.IsByte(id)) {
        const std::optional<unsigned char> byte = byte_of(piece);
        if (!byte) refuse("byte pieces spelt <0x00> to <0xFF>", fmt::format("another spelling at id {}", id));
        byte_ids_[*byte] = id;
        text = std::string(1, static_cast<char>(*byte));
      } else if (processor_.IsControl(id)) {
        control_ids_.emplace(piece, id);
      } else if (looks_like_control(piece)) {
        control_ids_.emplace(piece, id);
        guarded_.push_back(piece);
      } else if (!processor_.IsUnknown(id) && !processor_.IsUnused(id)) {
        text = piece;
        for (std::size_t at = 0; (at = text.find(kSpaceSign, at)) != std::string::npos; ++at)
          text.replace(at, kSpaceSign.size(), " ");
      }
      pieces_.push_back(std::move(piece));
      texts_.push_back(std::move(text));
    }
    const auto num_missing = std::count(byte_ids_.begin(), byte_ids_.end(), -1);
    if (num_missing > 0)
      refuse("a piece for each of the 256 bytes, so that every text can be encoded",
             fmt::format("{} missing", num_missing));
  }

  /// Tokens that the directory adds behind the sentencepiece vocabulary. Special ones for which the model has no row
  /// are left out (CodeLlama-34B adds four to a vocab_size that the sentencepiece model fills): text never gives them.
  void add_tokens(const std::filesystem::path& directory) {
    const std::int64_t vocab_size = read_vocab_size(directory);
    for (const auto& [id, token] : read_added_tokens(directory)) {
      const auto size = static_cast<std::int64_t>(pieces_.size());
      if (id < size) continue;  // names a piece of the model
      if (token.second && id >= vocab_size) continue;
      if (id > size) refuse(fmt::format("added tokens to follow on id {}", size - 1), fmt::format("id {}", id));
      if (!token.second)
        refuse(fmt::format("special tokens alone behind id {}", processor_.GetPieceSize() - 1),
               fmt::format("a plain one at id {}", id));
      control_ids_.emplace(token.first, static_cast<TokenId>(id));
      pieces_.push_back(token.first);
      texts_.emplace_back();
    }
  }

  /// Byte offsets, ascending, of the characters that sentencepiece may not see: each U+2581, and the '<' of each
  /// spelling of a guarded piece.
  std::vector<std::size_t> guarded_offsets(std::string_view text) const {
    std::vector<std::size_t> offsets;
    for (std::size_t at = 0; (at = text.find(kSpaceSign, at)) != std::string_view::npos; ++at) offsets.push_back(at);
    for (const std::string& piece : guarded_) {
      for (std::size_t at = 0; (at = text.find(piece, at)) != std::string_view::npos; ++at) offsets.push_back(at);
    }
    std::sort(offsets.begin(), offsets.end());
    offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
    return offsets;
  }

  /// Puts a character that neither text nor vocabulary has in the place of each guarded one, and the guarded one's
  /// bytes in the place of its ids.
  std::vector<TokenId> encode_guarded(std::string_view text, const std::vector<std::size_t>& guarded) const {
    const std::string stand_in = unused_character(text);
    std::string changed;
    std::vector<std::string_view> originals;
    std::size_t begin = 0;
    for (const std::size_t at : guarded) {
      const std::size_t size = text[at] == '<' ? 1 : kSpaceSign.size();
      changed += text.substr(begin, at - begin);
      changed += stand_in;
      originals.push_back(text.substr(at, size));
      begin = at + size;
    }
    changed += text.substr(begin);

    std::vector<int> encoded;
    check(processor_.Encode(changed, &encoded));
    std::vector<TokenId> stand_in_ids;
    for (const char byte : stand_in) stand_in_ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
    std::vector<TokenId> ids;
    std::size_t next = 0;
    for (auto at = encoded.begin(); at != encoded.end();) {
      const auto left = static_cast<std::size_t>(encoded.end() - at);
      if (left >= stand_in_ids.size() && std::equal(stand_in_ids.begin(), stand_in_ids.end(), at)) {
        for (const char byte : originals.at(next++)) ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
        at += static_cast<std::ptrdiff_t>(stand_in_ids.size());
      } else {
        ids.push_back(*at++);
      }
    }
    return ids;
  }

  /// A private-use character of plane 16 that stands neither in `text` nor in the vocabulary: it is encoded by its four
  /// bytes.
  std::string unused_character(std::string_view text) const {
    for (char32_t code_point = 0x100000; code_point < 0x10FFFE; ++code_point) {
      std::string character;
      utf8::append(code_point, std::back_inserter(character));
      if (text.find(character) == std::string_view::npos && processor_.PieceToId(character) == processor_.unk_id())
        return character;
    }
    throw InputError(
        "tokenizer: expected a text that leaves a character of plane 16 unused, found none; split the text");
  }

  std::string file_;
  sentencepiece::SentencePieceProcessor processor_;
  std::vector<std::string> pieces_;  // by id
  std::vector<std::string> texts_;   // by id, as decode gives them; empty for control tokens
  std::array<TokenId, 256> byte_ids_;
  std::unordered_map<std::string, TokenId> control_ids_;  // by spelling
  std::vector<std::string> guarded_;                      // control tokens that sentencepiece would find in text
  bool adds_space_ = false;
};

}  // namespace

std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const std::filesystem::path& directory) {
  return std::make_unique<SentencePieceTokenizer>(directory);
}

}  // namespace entune
