#include "data/scoring/score_report.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/scoring/bootstrap.h"

namespace entune {
namespace {

using nlohmann::json;

json or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::optional<double> ratio(std::int64_t numerator, std::int64_t denominator) {
  if (denominator == 0) return std::nullopt;
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

/// F2 = 5 TP / (5 TP + 4 FN + FP): a miss costs four times as much as an invention.
std::optional<double> f2(std::int64_t correct, std::int64_t possible, std::int64_t actual) {
  return ratio(5 * correct, 4 * possible + actual);
}

/// Adds <name>_low and <name>_high.
void put_interval(json& scores, const std::string& name, const std::optional<Interval>& interval) {
  scores[name + "_low"] = interval ? json(interval->low) : json(nullptr);
  scores[name + "_high"] = interval ? json(interval->high) : json(nullptr);
}

json quality_to_json(const Quality& quality, const std::optional<Interval>& f1) {
  json result = {
      {"precision", or_null(quality.precision)}, {"recall", or_null(quality.recall)}, {"f1", or_null(quality.f1)}};
  put_interval(result, "f1", f1);
  return result;
}

json strict_to_json(const LabelCounts& counts, const std::optional<Interval>& f1) {
  json result = quality_to_json(quality(counts), f1);
  result["tp"] = counts.correct;
  result["fp"] = counts.predicted - counts.correct;
  result["fn"] = counts.support - counts.correct;
  return result;
}

json label_to_json(const LabelCounts& counts, const std::optional<Interval>& f1) {
  json result = strict_to_json(counts, f1);
  result["support"] = counts.support;
  result["predicted"] = counts.predicted;
  return result;
}

json scheme_to_json(Scheme scheme, const SchemeCounts& counts, const std::optional<Interval>& f1) {
  json result = quality_to_json(quality(counts), f1);
  result["correct"] = counts.correct;
  result["incorrect"] = counts.incorrect;
  result["partial"] = counts.partial;
  result["missed"] = counts.missed;
  result["spurious"] = counts.spurious;
  if (scheme == Scheme::strict) {
    result["f2"] = or_null(f2(counts.correct, counts.possible(), counts.actual()));
    result["tp"] = counts.correct;
    result["fp"] = counts.actual() - counts.correct;
    result["fn"] = counts.possible() - counts.correct;
  }
  return result;
}

json macro_to_json(const std::map<std::string, LabelCounts>& labels, std::int64_t least_support,
                   const std::optional<Interval>& f1_interval) {
  struct Mean {
    double sum = 0.0;
    std::int64_t count = 0;
    void add(const std::optional<double>& value) {
      sum += value.value_or(0.0);
      count += value.has_value();
    }
    json to_json() const { return count ? json(sum / static_cast<double>(count)) : json(nullptr); }
  };
  Mean precision, recall, f1;
  std::int64_t num_labels = 0;
  for (const auto& [label, counts] : labels) {
    if (counts.support < least_support) continue;
    const Quality of_label = quality(counts);
    precision.add(of_label.precision);
    recall.add(of_label.recall);
    f1.add(of_label.f1);
    ++num_labels;
  }
  json result = {
      {"precision", precision.to_json()}, {"recall", recall.to_json()}, {"f1", f1.to_json()}, {"labels", num_labels}};
  put_interval(result, "f1", f1_interval);
  return result;
}

/// The least support of a label in `macro` and in `macro_10`.
constexpr std::array<std::int64_t, 2> kMacroSupports = {1, 10};

json errors_to_json(const ErrorCounts& errors) {
  return {{"boundary", errors.boundary},
          {"type", errors.type},
          {"boundary_and_type", errors.boundary_and_type},
          {"missed", errors.missed},
          {"spurious", errors.spurious},
          {"offset_wrong_value_right", errors.offset_wrong_value_right}};
}

constexpr std::array kLeakRates = {"character_leak_rate", "document_leak_rate", "surface_leak_rate"};

/// Numerator and denominator of each of kLeakRates.
std::array<F1Counts, kLeakRates.size()> leak_rate_counts(const LeakCounts& leak) {
  return {F1Counts{leak.gold_characters - leak.covered_characters, leak.gold_characters, 0},
          F1Counts{leak.leaking_documents, leak.gold_documents, 0},
          F1Counts{leak.leaking_surfaces, leak.gold_surfaces, 0}};
}

/// `intervals`: of kLeakRates.
json leak_to_json(const LeakCounts& leak, const std::optional<Interval>* intervals) {
  const Quality untyped = quality(2 * leak.covered_characters, leak.gold_characters, leak.predicted_characters);
  json result = {{"untyped",
                  {{"precision", or_null(untyped.precision)},
                   {"recall", or_null(untyped.recall)},
                   {"f1", or_null(untyped.f1)},
                   {"f2", or_null(f2(leak.covered_characters, leak.gold_characters, leak.predicted_characters))}}},
                 {"gold_characters", leak.gold_characters},
                 {"leaked_characters", leak.gold_characters - leak.covered_characters},
                 {"predicted_characters", leak.predicted_characters},
                 {"gold_documents", leak.gold_documents},
                 {"leaking_documents", leak.leaking_documents},
                 {"gold_surfaces", leak.gold_surfaces},
                 {"leaking_surfaces", leak.leaking_surfaces}};
  const auto counts = leak_rate_counts(leak);
  for (std::size_t i = 0; i < kLeakRates.size(); ++i) {
    result[kLeakRates[i]] = or_null(counts[i].f1());
    put_interval(result, kLeakRates[i], intervals[i]);
  }
  return result;
}

/// Null where characters were counted, but not by label: the documents come from an older version's files.
json label_leaks_to_json(const SpanCounts& counts, const std::vector<std::string>& labels) {
  if (counts.label_leaks.empty() && counts.leak.gold_characters > 0) return nullptr;
  json result = json::object();
  for (const std::string& label : labels) {
    const auto found = counts.label_leaks.find(label);
    const LabelLeakCounts leak = found == counts.label_leaks.end() ? LabelLeakCounts{} : found->second;
    const std::int64_t leaked = leak.gold_characters - leak.covered_characters;
    result[label] = {{"character_leak_rate", or_null(ratio(leaked, leak.gold_characters))},
                     {"gold_characters", leak.gold_characters},
                     {"leaked_characters", leaked}};
  }
  return result;
}

json health_to_json(const HealthCounts& health) {
  const auto rate = [&](std::int64_t count) { return or_null(ratio(count, health.answers)); };
  json result = {{"answers", health.answers},
                 {"parsed", rate(health.parsed)},
                 {"well_formed", rate(health.well_formed)},
                 {"copy_exact", rate(health.copy_exact)},
                 {"hit_max_tokens", rate(health.hit_max_tokens)},
                 {"copy_cer", or_null(ratio(health.copy_edits, health.copy_length))},
                 {"counts", {{"copy_edits", health.copy_edits}, {"copy_length", health.copy_length}}}};
  for (std::size_t i = 0; i < kNumAnswerFaults; ++i) {
    const std::string fault(name_of(static_cast<AnswerFault>(i)));
    result[fault] = rate(health.fault_documents[i]);
    result["counts"][fault] = health.fault_counts[i];
  }
  return result;
}

/// What is scored by label: each of `names`, and the sum of `held_out`.
struct ReportedLabels {
  std::vector<std::string> names, held_out;
};

/// The F1 of one reading in the order in which they are reported: the schemes, trim_punct, the labels, the sum of
/// held-out labels, the leak rates. The first label's is at kFirstLabel.
constexpr std::size_t kFirstLabel = kNumSchemes + 1;
std::vector<F1Counts> f1_row(const SpanCounts& counts, const ReportedLabels& labels) {
  std::vector<F1Counts> row;
  for (Scheme scheme : kSchemes) row.push_back(f1_counts(counts.scheme(scheme)));
  row.push_back(f1_counts(counts.trim_punct));
  for (const std::string& label : labels.names) row.push_back(f1_counts(counts_over(counts, {label})));
  row.push_back(f1_counts(counts_over(counts, labels.held_out)));
  for (const F1Counts& rate : leak_rate_counts(counts.leak)) row.push_back(rate);
  return row;
}

std::vector<F1Counts> f1_row(const DocumentScore& document, const ReportedLabels& labels) {
  std::vector<F1Counts> row = f1_row(document.raw, labels);
  const std::vector<F1Counts> repaired = f1_row(document.repaired, labels);
  row.insert(row.end(), repaired.begin(), repaired.end());
  row.push_back(f1_counts(document.values));
  return row;
}

std::vector<std::vector<F1Counts>> f1_rows(const std::vector<DocumentScore>& documents, const ReportedLabels& labels) {
  std::vector<std::vector<F1Counts>> rows;
  for (const auto& group : group_documents(documents)) {
    std::vector<F1Counts> sum;
    for (const DocumentScore* document : group) {
      const std::vector<F1Counts> row = f1_row(*document, labels);
      sum.resize(row.size());
      for (std::size_t m = 0; m < row.size(); ++m) sum[m] += row[m];
    }
    rows.push_back(std::move(sum));
  }
  return rows;
}

/// Where in a row the labels with this support stand; `begin`: where the reading's F1 do.
std::vector<std::size_t> macro_places(const SpanCounts& counts, const ReportedLabels& labels, std::size_t begin,
                                      std::int64_t least_support) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < labels.names.size(); ++i) {
    if (counts_over(counts, {labels.names[i]}).support >= least_support) places.push_back(begin + kFirstLabel + i);
  }
  return places;
}

DocumentScore pooled(const std::vector<DocumentScore>& documents) {
  DocumentScore sum;
  for (const DocumentScore& document : documents) {
    sum.raw += document.raw;
    sum.repaired += document.repaired;
    sum.values += document.values;
    sum.health += document.health;
  }
  return sum;
}

/// The labels of the list, then others that occur.
std::vector<std::string> label_names(const LabelList& labels, const DocumentScore& sum) {
  std::vector<std::string> names;
  for (const Label& label : labels) names.push_back(label.name);
  for (const SpanCounts* counts : {&sum.raw, &sum.repaired}) {
    for (const auto& [name, unused] : counts->labels) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

}  // namespace

json score_report(const std::vector<DocumentScore>& documents, const LabelList& labels,
                  const ScoreReportOptions& options) {
  const DocumentScore sum = pooled(documents);
  const ReportedLabels reported{.names = label_names(labels, sum), .held_out = options.held_out};
  const std::vector<std::vector<F1Counts>> rows = f1_rows(documents, reported);
  const std::size_t reading_size = f1_row(SpanCounts{}, reported).size(), row_size = 2 * reading_size + 1;
  std::vector<std::vector<std::size_t>> macros;
  for (const auto& [counts, begin] : {std::pair{&sum.raw, std::size_t{0}}, std::pair{&sum.repaired, reading_size}}) {
    for (const std::int64_t least_support : kMacroSupports)
      macros.push_back(macro_places(*counts, reported, begin, least_support));
  }
  std::vector<std::optional<Interval>> intervals = f1_intervals(
      rows, {.samples = options.bootstrap_samples, .confidence = options.confidence, .seed = options.seed}, macros);
  intervals.resize(row_size + macros.size());

  json report = {{"documents", documents.size()},
                 {"groups", rows.size()},
                 {"errors", errors_to_json(sum.raw.errors)},
                 {"errors_repaired", errors_to_json(sum.repaired.errors)},
                 {"value", label_to_json(sum.values, intervals[row_size - 1])},
                 {"health", health_to_json(sum.health)}};
  const std::optional<Interval>* interval = intervals.data();
  const std::optional<Interval>* macro_interval = intervals.data() + row_size;
  for (const auto& [reading, per_label, leak, counts] :
       {std::tuple{"raw", "per_label", "leak", &sum.raw},
        std::tuple{"repaired", "per_label_repaired", "leak_repaired", &sum.repaired}}) {
    for (Scheme scheme : kSchemes) {
      report[reading][std::string(name_of(scheme))] = scheme_to_json(scheme, counts->scheme(scheme), *interval++);
    }
    report[reading]["trim_punct"] = strict_to_json(counts->trim_punct, *interval++);
    report[reading]["macro"] = macro_to_json(counts->labels, kMacroSupports[0], *macro_interval++);
    report[reading]["macro_10"] = macro_to_json(counts->labels, kMacroSupports[1], *macro_interval++);
    report[reading]["duplicates"] = counts->duplicates;
    report[per_label] = json::object();
    for (const std::string& name : reported.names)
      report[per_label][name] = label_to_json(counts_over(*counts, {name}), *interval++);
    const std::optional<Interval> held_out_interval = *interval++;
    if (!options.held_out.empty())
      report["held_out"][reading] = label_to_json(counts_over(*counts, options.held_out), held_out_interval);
    report[leak] = leak_to_json(counts->leak, interval);
    report[leak]["per_label"] = label_leaks_to_json(*counts, reported.names);
    interval += kLeakRates.size();
  }
  if (!options.held_out.empty()) report["held_out"]["labels"] = options.held_out;
  return report;
}

double strict_f1(const std::vector<DocumentScore>& documents) {
  SchemeCounts sum;
  for (const DocumentScore& document : documents) sum += document.raw.scheme(Scheme::strict);
  return quality(sum).f1.value_or(0.0);
}

}  // namespace entune
