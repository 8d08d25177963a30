#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/entity.h"

namespace entune {

/// Examples in file order with unique ids, and what was left out on the way.
struct Corpus {
  std::vector<Example> examples;
  std::vector<std::int64_t> lines;   ///< of each example: where it begins in the file, from 1
  std::int64_t num_skipped = 0;      ///< bad samples left out under OnBadSample::skip
  std::vector<std::string> skipped;  ///< "path:line: why" of each (no text)
};

enum class OnBadSample { fail, skip };

/// How a file becomes a Corpus.
struct ReaderOptions {
  std::string reader = "auto";            ///< auto (by suffix: .jsonl, .json, .conll/.txt) | jsonl | presidio | conll
  std::string scheme = "iob2";            ///< tags of a CoNLL file: iob1 | iob2 | bioes
  std::string group_key = "template_id";  ///< JSON member that becomes Example::group (a string or an integer)
  OnBadSample on_bad_sample = OnBadSample::fail;
  std::int64_t max_skipped = 0;  ///< with skip: more bad samples than this are an error after all
  /// Data set's label -> label of the recipe, or nullopt to drop the entity. Labels not named here stay as they are.
  std::map<std::string, std::optional<std::string>> label_map;
};

/// Reads a data set. Every span is checked against its text: 0 <= start < end <= size, and where the file gives the
/// value, text[start:end] == value. Throws InputError "path:line: ...".
Corpus read_corpus(const std::filesystem::path& path, const ReaderOptions& options);

/// Writes one JSON object a line: {"id", "text", "template_id", "entities": [{"start", "end", "label", "value"}]}.
/// read_corpus gives the same examples back.
void write_jsonl(const std::filesystem::path& path, const std::vector<Example>& examples);

}  // namespace entune
