#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "data/entity.h"
#include "data/scoring/document_score.h"

namespace entune {

struct ScoreReportOptions {
  std::int64_t bootstrap_samples = 1000;  ///< 0: no intervals
  double confidence = 0.95;
  std::uint64_t seed = 1;
  std::vector<std::string> held_out = {};  ///< labels kept out of training, of which a sum is wanted
};

/// The scores of one cell on one split: what summary.json keeps at cells[].scores.<split>. Undefined numbers are null.
///
///   documents, groups                 counts
///   raw | repaired
///     strict | exact | partial | type precision, recall, f1, f1_low, f1_high (micro: of pooled counts); correct,
///                                     incorrect, partial, missed, spurious; strict also has f2, tp, fp, fn
///     trim_punct                      as strict, but edges of gold and predicted spans lose .,;:!?()[]{}"' too:
///                                     precision, recall, f1, f1_low, f1_high, tp, fp, fn
///     macro, macro_10                 precision, recall, f1: means of what is defined over labels with support >= 1
///                                     (>= 10); labels: how many these are; f1_low, f1_high: of the same labels in each
///                                     resample, without those that have no support in it
///     duplicates                      repeated predictions, which were dropped
///   value                             as a label below, over distinct (label, value) pairs wherever they stand
///   per_label, per_label_repaired
///     <LABEL>                         strict support, predicted, tp, fp, fn, precision, recall, f1, f1_low, f1_high;
///                                     every label of the list, and any other that occurs
///   held_out                          where some are: labels, their names; raw, repaired: their sum, as a label above
///   errors, errors_repaired           boundary, type, boundary_and_type, missed, spurious, offset_wrong_value_right
///   leak, leak_repaired               character_leak_rate, document_leak_rate, surface_leak_rate, each also with _low
///                                     and _high; untyped {precision, recall, f1, f2} over characters; the counts
///                                     behind them; per_label.<LABEL>: character_leak_rate of the label's own gold
///                                     characters, whatever the predicted spans' labels, gold_characters,
///                                     leaked_characters
///   health                            answers; the share of answers that are parsed, well_formed, copy_exact,
///                                     hit_max_tokens, and that have each AnswerFault; counts.<fault>: occurrences;
///                                     copy_cer: edits between the answers' copies of the texts (tags taken out) and
///                                     the texts, over the texts' code points; more than 1 where answers run away,
///                                     null in formats that do not copy the text; counts.copy_edits, copy_length
///
/// Intervals (low, high) are percentiles of a bootstrap over groups (bootstrap.h), all of the same resamples, null with
/// fewer than two groups.
nlohmann::json score_report(const std::vector<DocumentScore>& documents, const LabelList& labels,
                            const ScoreReportOptions& options);

/// The value that keep_best and validation lines need: strict micro F1 of the raw reading, no intervals. 0 where
/// undefined.
double strict_f1(const std::vector<DocumentScore>& documents);

}  // namespace entune
