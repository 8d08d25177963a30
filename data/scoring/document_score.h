#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/entity.h"
#include "data/formats/output_format.h"
#include "data/scoring/span_scorer.h"

namespace entune {

/// How the generated answer held up, before any scoring. One document's counts are 0 or 1 except `fault_counts` and
/// those of the copy.
struct HealthCounts {
  std::int64_t answers = 0;      ///< 0 where no answer was generated (a baseline of patterns)
  std::int64_t parsed = 0;       ///< no `unparsable`
  std::int64_t well_formed = 0;  ///< ParsedAnswer::well_formed
  std::int64_t copy_exact = 0;   ///< no `copy_differs` and no `not_in_text`: all that was written stands in the input
  std::int64_t hit_max_tokens = 0;                               ///< generation was cut at the limit
  std::int64_t copy_edits = 0;                                   ///< ParsedAnswer::copy
  std::int64_t copy_length = 0;                                  ///< 0 in formats that do not copy the text
  std::array<std::int64_t, kNumAnswerFaults> fault_documents{};  ///< documents with the fault, by AnswerFault
  std::array<std::int64_t, kNumAnswerFaults> fault_counts{};     ///< how often it occurred

  HealthCounts& operator+=(const HealthCounts& other);
  friend bool operator==(const HealthCounts&, const HealthCounts&) = default;
};

/// The counts of one document in one cell: all that scores, intervals and tests need. Holds no text, so it may be
/// stored and sent between ranks. The order of documents carries no meaning.
struct DocumentScore {
  std::string id;
  std::string group;  ///< resampled together; empty: a group of its own. stored_name(): it may be a piece of text
  SpanCounts raw;
  SpanCounts repaired;
  LabelCounts values;  ///< distinct (label, value) pairs, wherever they stand: what the answer found, places aside
  HealthCounts health;

  friend bool operator==(const DocumentScore&, const DocumentScore&) = default;
};

/// Scores an answer in both readings. A mention that a reading cannot place in the text is spurious in that reading
/// (once for each distinct label and value): an invented value must cost precision in every format alike.
DocumentScore score_document(const Example& gold, const ParsedAnswer& answer, bool hit_max_tokens);
/// Scores spans that came without an answer (patterns): both readings are the same, and there is no health.
DocumentScore score_document(const Example& gold, const std::vector<Entity>& predicted);

/// JSON of one document, on one line: {"id", "group", "raw": {...}, "repaired": {...}, "health": {...}}, arrays of
/// counts in the order of the structs above. document_score_from_json is the inverse; it throws InputError for anything
/// else.
nlohmann::json to_json(const DocumentScore& document);
DocumentScore document_score_from_json(const nlohmann::json& json);

/// The documents by group, in an order that depends on neither their order nor their counts.
std::vector<std::vector<const DocumentScore*>> group_documents(const std::vector<DocumentScore>& documents);

/// One JSON object a line. read_document_scores throws InputError "path:line: ...".
void write_document_scores(const std::filesystem::path& path, const std::vector<DocumentScore>& documents);
std::vector<DocumentScore> read_document_scores(const std::filesystem::path& path);

}  // namespace entune
