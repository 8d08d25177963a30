#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace entune {

/// How sentencepiece treats a piece; the numbers are those of its file.
enum class PieceKind { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct SentencePiece {
  std::string spelling;  ///< a space is U+2581
  float score = 0;       ///< of two neighbours that can be joined, those go first whose joined piece has the higher one
  PieceKind kind = PieceKind::normal;
};

/// The pieces of a sentencepiece model of byte-pair encoding, by id.
using SentencePieceTables = std::vector<SentencePiece>;

/// Reads tokenizer.model, a protocol buffer (ModelProto of sentencepiece_model.proto), as far as the tables go. nullopt
/// for a model of another kind (unigram) and for one with unused pieces, through which sentencepiece joins others: no
/// list of merges says what those do. Throws InputError for a damaged file.
std::optional<SentencePieceTables> read_sentencepiece_tables(const std::filesystem::path& file);

}  // namespace entune
