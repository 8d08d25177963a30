#include "data/corpus.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "data/code_points.h"
#include "data/input_error.h"
#include "data/readers/readers.h"

namespace entune {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw InputError(fmt::format("{}: expected a data file, found {}; check data.train, data.validation and data.test",
                                 path.string(), std::filesystem::exists(path, error) ? "something else" : "nothing"));
  }
  std::ifstream stream(path, std::ios::binary);
  std::string contents{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw InputError(fmt::format("{}: the file cannot be read; check its permissions", path.string()));
  return contents;
}

std::string reader_of(const std::filesystem::path& path, const std::string& reader) {
  if (reader != "auto") return reader;
  const std::string suffix = path.extension().string();
  if (suffix == ".jsonl") return "jsonl";
  if (suffix == ".json") return "presidio";
  if (suffix == ".conll" || suffix == ".txt") return "conll";
  throw InputError(
      fmt::format("{}: expected a suffix of .jsonl, .json, .conll or .txt; give the reader by name: "
                  "jsonl, presidio or conll",
                  path.string()));
}

}  // namespace

Corpus read_corpus(const std::filesystem::path& path, const ReaderOptions& options) {
  const std::string reader = reader_of(path, options.reader);
  const std::string file = read_file(path);
  std::string_view contents = file;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (contents.starts_with(kByteOrderMark)) contents.remove_prefix(kByteOrderMark.size());

  SampleSink sink(path, options);
  try {
    if (reader == "jsonl") {
      read_jsonl(contents, options.group_key, sink);
    } else if (reader == "presidio") {
      read_presidio(contents, options.group_key, sink);
    } else if (reader == "conll") {
      if (options.scheme != "iob1" && options.scheme != "iob2" && options.scheme != "bioes") {
        throw InputError(
            fmt::format("{}: expected scheme iob1, iob2 or bioes, found '{}'", path.string(), options.scheme));
      }
      read_conll(contents, options.scheme, sink);
    } else {
      throw InputError(
          fmt::format("{}: expected reader auto, jsonl, presidio or conll, found '{}'", path.string(), reader));
    }
  } catch (const SampleError& error) {
    throw InputError(fmt::format("{}:{}: {}", path.string(), error.line(), error.what()));
  }
  return sink.finish();
}

void write_jsonl(const std::filesystem::path& path, const std::vector<Example>& examples) {
  std::ofstream stream(path, std::ios::binary);
  for (const Example& example : examples) {
    const CodePointIndex index(example.text);
    nlohmann::ordered_json line;
    line["id"] = example.id;
    line["text"] = example.text;
    if (!example.group.empty()) line["template_id"] = example.group;
    line["entities"] = nlohmann::ordered_json::array();
    for (const Entity& entity : example.entities) {
      line["entities"].push_back({{"start", entity.start},
                                  {"end", entity.end},
                                  {"label", entity.label},
                                  {"value", index.slice(entity.start, entity.end)}});
    }
    stream << line.dump() << '\n';
  }
  stream.close();
  if (!stream)
    throw InputError(fmt::format("{}: the file cannot be written; check the folder and the space left", path.string()));
}

}  // namespace entune
