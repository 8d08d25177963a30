#include "data/readers/sample_sink.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "data/code_points.h"
#include "data/input_error.h"
#include "data/shown_name.h"

namespace entune {
namespace {

constexpr std::size_t kNamedInError = 5;

/// The byte offset of UTF-16 unit `unit`, or npos if none begins there.
std::size_t byte_of_utf16(std::string_view text, std::int64_t unit) {
  std::int64_t units = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) == 0x80) continue;
    if (units >= unit) return units == unit ? i : std::string_view::npos;
    units += byte >= 0xF0 ? 2 : 1;
  }
  return units == unit ? text.size() : std::string_view::npos;
}

/// Guesses in which unit the offsets of a value that does not fit were counted.
std::string offset_unit_hint(std::string_view text, const RawEntity& entity) {
  const auto matches = [&](std::size_t first, std::size_t last) {
    return first <= last && last <= text.size() && text.substr(first, last - first) == *entity.value;
  };
  if (matches(static_cast<std::size_t>(entity.start), static_cast<std::size_t>(entity.end))) {
    return "; they seem to count UTF-8 bytes";
  }
  if (matches(byte_of_utf16(text, entity.start), byte_of_utf16(text, entity.end))) {
    return "; they seem to count UTF-16 units";
  }
  return "";
}

bool is_blank(std::string_view value) { return value.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos; }

}  // namespace

SampleSink::SampleSink(const std::filesystem::path& path, const ReaderOptions& options)
    : path_(path), options_(options) {}

void SampleSink::add(RawSample sample) {
  try {
    const std::int64_t line = sample.line;
    Example example = checked(std::move(sample));
    corpus_.examples.push_back(std::move(example));
    corpus_.lines.push_back(line);
  } catch (const SampleError& error) {
    reject(error);
  }
}

void SampleSink::reject(const SampleError& error) {
  const std::string message = fmt::format("{}:{}: {}", path_.string(), error.line(), error.what());
  if (options_.on_bad_sample == OnBadSample::fail) throw InputError(message);
  ++corpus_.num_skipped;
  corpus_.skipped.push_back(message);
}

Corpus SampleSink::finish() {
  const auto last = corpus_.skipped.begin() + std::min(kNamedInError, corpus_.skipped.size());
  if (corpus_.num_skipped > options_.max_skipped) {
    throw InputError(fmt::format("{}: expected at most {} bad samples (data.max_skipped), found {}; the first: {}",
                                 path_.string(), options_.max_skipped, corpus_.num_skipped,
                                 fmt::join(corpus_.skipped.begin(), last, "; ")));
  }
  if (corpus_.examples.empty() && corpus_.num_skipped > 0) {
    throw InputError(
        fmt::format("{}: expected at least one good sample, found {} bad ones, all skipped "
                    "(data.on_bad_sample); correct the file; the first: {}",
                    path_.string(), corpus_.num_skipped, fmt::join(corpus_.skipped.begin(), last, "; ")));
  }
  if (corpus_.examples.empty()) {
    throw InputError(fmt::format("{}:1: expected at least one sample, found none", path_.string()));
  }
  return std::move(corpus_);
}

std::string SampleSink::id_of(const RawSample& sample) {
  const std::int64_t on_line = ++samples_on_line_[sample.line];
  if (sample.id) {
    if (sample.id->empty())
      throw SampleError(sample.line, "expected an id of at least one character, found an empty one");
    return *sample.id;
  }
  // Several samples can share a line of a JSON array; the first keeps the plain name.
  const std::string id = fmt::format("{}:{}", path_.stem().string(), sample.line);
  return on_line == 1 ? id : fmt::format("{}.{}", id, on_line);
}

Example SampleSink::checked(RawSample sample) {
  std::string id = id_of(sample);
  // A file name need not be UTF-8, and an id goes into JSON.
  if (!sample.id) {
    try {
      const CodePointIndex valid(id);
    } catch (const InputError&) {
      throw SampleError(sample.line, "the file's name is not UTF-8 and the sample has no id; rename the file");
    }
  }
  const std::int64_t line = sample.line;
  Example example = checked_example(std::move(sample), std::move(id), options_.label_map);
  const auto [first, inserted] = line_of_id_.emplace(example.id, line);
  if (!inserted) {
    throw SampleError(line, fmt::format("expected a unique id, found the id of line {} again", first->second));
  }
  return example;
}

Example checked_example(RawSample sample, std::string id,
                        const std::map<std::string, std::optional<std::string>>& label_map) {
  Example example;
  example.id = std::move(id);
  std::optional<CodePointIndex> index;
  try {
    index.emplace(sample.text);
  } catch (const InputError& error) {
    throw SampleError(sample.line, error.what());
  }
  for (std::size_t i = 0; i < sample.entities.size(); ++i) {
    const RawEntity& entity = sample.entities[i];
    const auto fail = [&](const std::string& why) {
      throw SampleError(sample.line, fmt::format("entity {} ({}, [{}, {})): {}", i + 1, shown_name(entity.label),
                                                 entity.start, entity.end, why));
    };
    if (entity.label.empty()) fail("expected a label, found an empty one");
    if (entity.start < 0 || entity.start >= entity.end || entity.end > index->size()) {
      fail(
          fmt::format("expected 0 <= start < end <= {} (code points of the text), found another range", index->size()));
    }
    const std::string_view covered = index->slice(entity.start, entity.end);
    if (entity.value && covered != *entity.value) {
      fail("expected the text at these code points to equal the entity's value, found another text" +
           offset_unit_hint(sample.text, entity));
    }
    if (is_blank(covered)) fail("expected text, found white space only");
    std::optional<std::string> label = entity.label;
    if (const auto mapped = label_map.find(entity.label); mapped != label_map.end()) {
      label = mapped->second;
    }
    if (label) example.entities.push_back({entity.start, entity.end, *label});
  }
  std::sort(example.entities.begin(), example.entities.end());
  example.entities.erase(std::unique(example.entities.begin(), example.entities.end()), example.entities.end());

  example.text = std::move(sample.text);
  example.group = std::move(sample.group);
  return example;
}

}  // namespace entune
