#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "data/scoring/document_score.h"

namespace entune {
namespace {

using nlohmann::json;

// The counts of each struct in order: the arrays of the file format.
auto members(SchemeCounts& c) { return std::array{&c.correct, &c.incorrect, &c.partial, &c.missed, &c.spurious}; }
auto members(LabelCounts& c) { return std::array{&c.support, &c.predicted, &c.correct}; }
auto members(ErrorCounts& c) {
  return std::array{&c.boundary, &c.type, &c.boundary_and_type, &c.missed, &c.spurious, &c.offset_wrong_value_right};
}
auto members(LeakCounts& c) {
  return std::array{&c.gold_characters,   &c.predicted_characters, &c.covered_characters, &c.gold_documents,
                    &c.leaking_documents, &c.gold_surfaces,        &c.leaking_surfaces};
}
auto members(LabelLeakCounts& c) { return std::array{&c.gold_characters, &c.covered_characters}; }

template <typename Counts>
json array_of(Counts counts) {
  json array = json::array();
  for (const std::int64_t* member : members(counts)) array.push_back(*member);
  return array;
}

template <typename Counts>
void read_array(const json& array, Counts& counts) {
  const auto into = members(counts);
  if (!array.is_array() || array.size() != into.size()) {
    throw InputError(fmt::format("expected an array of {} counts", into.size()));
  }
  for (std::size_t i = 0; i < into.size(); ++i) {
    if (!array[i].is_number_integer()) throw InputError("expected whole numbers as counts");
    *into[i] = array[i].get<std::int64_t>();
  }
}

json spans_to_json(const SpanCounts& counts) {
  json labels = json::object();
  for (const auto& [label, label_counts] : counts.labels) labels[label] = array_of(label_counts);
  json label_leaks = json::object();
  for (const auto& [label, leak] : counts.label_leaks) label_leaks[label] = array_of(leak);
  json result = {{"labels", std::move(labels)},           {"trim_punct", array_of(counts.trim_punct)},
                 {"errors", array_of(counts.errors)},     {"leak", array_of(counts.leak)},
                 {"label_leaks", std::move(label_leaks)}, {"duplicates", counts.duplicates}};
  for (Scheme scheme : kSchemes) result[std::string(name_of(scheme))] = array_of(counts.scheme(scheme));
  return result;
}

SpanCounts spans_from_json(const json& object) {
  SpanCounts counts;
  for (Scheme scheme : kSchemes) {
    read_array(object.at(std::string(name_of(scheme))), counts.schemes[static_cast<std::size_t>(scheme)]);
  }
  for (const auto& [label, array] : object.at("labels").items()) read_array(array, counts.labels[label]);
  read_array(object.at("trim_punct"), counts.trim_punct);
  read_array(object.at("errors"), counts.errors);
  read_array(object.at("leak"), counts.leak);
  if (const auto leaks = object.find("label_leaks"); leaks != object.end()) {  // not in older files
    for (const auto& [label, array] : leaks->items()) read_array(array, counts.label_leaks[label]);
  }
  counts.duplicates = object.at("duplicates").get<std::int64_t>();
  return counts;
}

json health_to_json(const HealthCounts& health) {
  return {{"answers", health.answers},
          {"parsed", health.parsed},
          {"well_formed", health.well_formed},
          {"copy_exact", health.copy_exact},
          {"hit_max_tokens", health.hit_max_tokens},
          {"copy_edits", health.copy_edits},
          {"copy_length", health.copy_length},
          {"fault_documents", health.fault_documents},
          {"fault_counts", health.fault_counts}};
}

HealthCounts health_from_json(const json& object) {
  HealthCounts health;
  object.at("answers").get_to(health.answers);
  object.at("parsed").get_to(health.parsed);
  object.at("well_formed").get_to(health.well_formed);
  object.at("copy_exact").get_to(health.copy_exact);
  object.at("hit_max_tokens").get_to(health.hit_max_tokens);
  object.at("copy_edits").get_to(health.copy_edits);
  object.at("copy_length").get_to(health.copy_length);
  for (const auto& [key, into] :
       {std::pair{"fault_documents", &health.fault_documents}, std::pair{"fault_counts", &health.fault_counts}}) {
    const auto counts = object.at(key).get<std::vector<std::int64_t>>();
    if (counts.size() != into->size()) throw InputError(fmt::format("expected {} counts of faults", into->size()));
    std::copy(counts.begin(), counts.end(), into->begin());
  }
  return health;
}

}  // namespace

json to_json(const DocumentScore& document) {
  return {{"id", document.id},
          {"group", document.group},
          {"raw", spans_to_json(document.raw)},
          {"repaired", spans_to_json(document.repaired)},
          {"values", array_of(document.values)},
          {"health", health_to_json(document.health)}};
}

DocumentScore document_score_from_json(const json& object) {
  try {
    DocumentScore document{.id = object.at("id").get<std::string>(),
                           .group = object.at("group").get<std::string>(),
                           .raw = spans_from_json(object.at("raw")),
                           .repaired = spans_from_json(object.at("repaired")),
                           .values = {},
                           .health = health_from_json(object.at("health"))};
    read_array(object.at("values"), document.values);
    return document;
  } catch (const json::exception& error) {
    throw InputError(fmt::format("expected the score of a document: {}", error.what()));
  }
}

void write_document_scores(const std::filesystem::path& path, const std::vector<DocumentScore>& documents) {
  std::ofstream file(path, std::ios::binary);
  for (const DocumentScore& document : documents) file << to_json(document).dump() << '\n';
  file.flush();
  if (!file) throw InputError(fmt::format("{}: cannot be written; check the folder and the free space", path.string()));
}

std::vector<DocumentScore> read_document_scores(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(fmt::format("{}: cannot be read; expected the scores of a finished cell", path.string()));
  std::vector<DocumentScore> documents;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    try {
      documents.push_back(document_score_from_json(json::parse(line)));
    } catch (const json::exception&) {
      throw InputError(fmt::format("{}:{}: expected a JSON object, found something else; run the cell again",
                                   path.string(), number));
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}:{}: {}; run the cell again", path.string(), number, error.what()));
    }
  }
  return documents;
}

}  // namespace entune
