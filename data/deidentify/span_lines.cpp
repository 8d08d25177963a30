#include "data/deidentify/span_lines.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "data/readers/json_sample.h"

namespace entune {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr JsonSampleKeys kWhole{"text", "entities", "start", "end", "label", "value"};
constexpr JsonSampleKeys kText{"text", nullptr, nullptr, nullptr, nullptr, nullptr};
constexpr JsonSampleKeys kSpans{nullptr, "entities", "start", "end", "label", "value"};

/// With its id, given or by its line.
RawSample with_id(RawSample sample) {
  if (!sample.id) sample.id = std::to_string(sample.line);
  if (sample.id->empty())
    throw SampleError(sample.line, "expected an id of at least one character, found an empty one");
  return sample;
}

RawSample parse(std::string_view text, const JsonSampleKeys& keys, std::int64_t line) {
  return with_id(json_to_sample(parse_strict_json(text, line), keys, "", line));
}

Example example_of(RawSample sample) {
  std::string id = *sample.id;
  return checked_example(std::move(sample), std::move(id), {});
}

ordered_json span_json(const Entity& span) {
  ordered_json json;
  json["start"] = span.start;
  json["end"] = span.end;
  json["label"] = span.label;
  return json;
}

}  // namespace

template <typename Read>
auto SpanLineReader::read(Read&& read) -> std::optional<decltype(read(std::string_view()))> {
  const std::optional<Document> line = lines_.next();
  if (!line) return std::nullopt;
  try {
    return read(std::string_view(line->text));
  } catch (const SampleError& error) {
    throw InputError(fmt::format("{}: {}", place(), error.what()));
  }
}

std::string SpanLineReader::place() const { return fmt::format("{}:{}", name_, lines_.line()); }

std::optional<Example> SpanLineReader::next_document() {
  return read([&](std::string_view line) { return example_of(parse(line, kWhole, lines_.line())); });
}

std::optional<SpanLineReader::Output> SpanLineReader::next_output() {
  return read([&](std::string_view line) {
    const json object = parse_strict_json(line, lines_.line());
    RawSample sample = with_id(json_to_sample(object, kWhole, "", lines_.line()));
    Output output{*sample.id, std::move(sample.text), {}};
    for (std::size_t i = 0; i < sample.entities.size(); ++i) {
      const RawEntity& entity = sample.entities[i];
      const json& member = object["entities"][i];
      const auto done = member.find("operator");
      if (done == member.end() || !done->is_string())
        throw SampleError(
            sample.line,
            fmt::format("entity {}: expected a string in \"operator\"; give the output of deidentify", i + 1));
      output.spans.push_back({{entity.start, entity.end, entity.label}, done->get<std::string>()});
    }
    return output;
  });
}

std::optional<Example> SpanLineReader::next_of(SpanLineReader& documents) {
  std::optional<RawSample> document =
      documents.read([&](std::string_view line) { return parse(line, kText, documents.lines_.line()); });
  std::optional<RawSample> spans = read([&](std::string_view line) { return parse(line, kSpans, lines_.line()); });
  if (!document && !spans) return std::nullopt;
  if (!spans) {
    throw InputError(fmt::format("{}: expected a line of {} for document {}, found the end of that file",
                                 documents.place(), name_, *document->id));
  }
  if (!document) {
    throw InputError(fmt::format("{}: expected no more lines than {} has documents, found the spans of {}", place(),
                                 documents.name_, *spans->id));
  }
  if (*document->id != *spans->id) {
    throw InputError(
        fmt::format("{}: expected the spans of document {} ({}), found those of {}; both files are in one "
                    "order",
                    place(), *document->id, documents.place(), *spans->id));
  }
  spans->text = std::move(document->text);
  try {
    return example_of(std::move(*spans));
  } catch (const SampleError& error) {
    throw InputError(fmt::format("{}: {}", place(), error.what()));
  }
}

std::string output_line(const DeidentifiedDocument& document) {
  ordered_json line;
  line["id"] = document.id;
  line["text"] = document.text;
  line["entities"] = ordered_json::array();
  for (const DeidentifiedSpan& span : document.spans) {
    if (span.written.start == span.written.end) continue;
    ordered_json entity = span_json(span.written);
    entity["operator"] = name_of(span.done);
    line["entities"].push_back(std::move(entity));
  }
  line["policy"] = document.policy;
  return line.dump();
}

std::string audit_line(const DeidentifiedDocument& document, const DeidentificationPolicy& policy) {
  ordered_json line;
  line["id"] = document.id;
  line["policy_sha256"] = policy.sha256;
  line["spans"] = ordered_json::array();
  for (const DeidentifiedSpan& span : document.spans) {
    line["spans"].push_back({{"start", span.original.start},
                             {"end", span.original.end},
                             {"new_start", span.written.start},
                             {"new_end", span.written.end},
                             {"label", span.original.label},
                             {"operator", name_of(span.done)},
                             {"by_default", span.by_default}});
  }
  return line.dump();
}

std::string reidentified_line(const std::string& id, const ReidentifiedDocument& document) {
  ordered_json line;
  line["id"] = id;
  line["text"] = document.text;
  line["entities"] = ordered_json::array();
  for (const WrittenSpan& span : document.spans) {
    ordered_json entity = span_json(span.span);
    if (!span.done.empty()) entity["operator"] = span.done;
    line["entities"].push_back(std::move(entity));
  }
  return line.dump();
}

}  // namespace entune
