#include "data/tokens/sentencepiece_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string_view>

#include "data/input_error.h"

namespace entune {
namespace {

/// One field of a protocol buffer's message: a number (of any width) or bytes.
struct Field {
  std::uint64_t number = 0;  // of the field
  std::uint64_t value = 0;
  std::string_view bytes;
};

/// The fields of a message, one after the other. https://protobuf.dev/programming-guides/encoding
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  /// false at the end, and for damage (which damaged() tells apart).
  bool next(Field& field) {
    if (rest_.empty() || damaged_) return false;
    const std::uint64_t tag = varint();
    field = {.number = tag >> 3, .value = 0, .bytes = {}};
    switch (tag & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5: {
        field.bytes = take(4);
        for (std::size_t i = 0; i < field.bytes.size(); ++i) {
          field.value |= static_cast<std::uint64_t>(static_cast<unsigned char>(field.bytes[i])) << (8 * i);
        }
        break;
      }
      default:
        damaged_ = true;
    }
    return !damaged_;
  }

  bool damaged() const { return damaged_; }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    damaged_ = true;
    return 0;
  }

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) {
      damaged_ = true;
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::string_view rest_;
  bool damaged_ = false;
};

constexpr std::uint64_t kBpe = 2;  // of TrainerSpec.model_type

}  // namespace

std::optional<SentencePieceTables> read_sentencepiece_tables(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  const auto refuse_damage = [&](const Message& message) {
    if (message.damaged()) {
      throw InputError(fmt::format(
          "{}: expected a sentencepiece model, found a damaged or another file; fetch it again", file.string()));
    }
  };

  SentencePieceTables tables;
  std::uint64_t model_type = 1;  // unigram, where the file says nothing
  Message model(content);
  Field field, inner;
  while (model.next(field)) {
    Message part(field.bytes);
    if (field.number == 1) {
      SentencePiece piece;
      while (part.next(inner)) {
        if (inner.number == 1) piece.spelling = inner.bytes;
        if (inner.number == 2) piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(inner.value));
        if (inner.number == 3) piece.kind = static_cast<PieceKind>(inner.value);
      }
      tables.push_back(std::move(piece));
    } else if (field.number == 2) {
      while (part.next(inner)) {
        if (inner.number == 3) model_type = inner.value;
      }
    }
    refuse_damage(part);
  }
  refuse_damage(model);
  const bool has_unused =
      std::any_of(tables.begin(), tables.end(), [](const SentencePiece& p) { return p.kind == PieceKind::unused; });
  if (model_type != kBpe || has_unused || tables.empty()) return std::nullopt;
  return tables;
}

}  // namespace entune
