#include "data/documents/document_reader.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "data/code_points.h"
#include "data/input_error.h"
#include "data/readers/readers.h"

namespace entune {
namespace {

using nlohmann::json;

bool is_object(const std::string& line) { return json::parse(line, nullptr, false).is_object(); }

}  // namespace

DocumentReader::DocumentReader(std::istream& in, std::string name, Lines lines)
    : in_(in), name_(std::move(name)), lines_(lines) {}

std::optional<Document> DocumentReader::next() {
  for (std::string line; read_line(line);) {
    if (line.empty()) continue;
    if (lines_ == Lines::by_first_line) lines_ = is_object(line) ? Lines::jsonl : Lines::text;
    return parse(std::move(line));
  }
  return std::nullopt;
}

bool DocumentReader::read_line(std::string& line) {
  line.clear();
  std::streambuf& bytes = *in_.rdbuf();
  int byte = bytes.sbumpc();
  if (byte == std::char_traits<char>::eof()) return false;
  ++line_;
  for (; byte != std::char_traits<char>::eof() && byte != '\n'; byte = bytes.sbumpc()) {
    if (line.size() == kMaxLineBytes) {
      throw InputError(fmt::format("{}:{}: expected a line of at most {} MiB, found a longer one; cut the text", name_,
                                   line_, kMaxLineBytes >> 20));
    }
    line.push_back(static_cast<char>(byte));
  }
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

Document DocumentReader::parse(std::string line) const {
  Document document{.id = std::to_string(line_), .text = {}};
  if (lines_ == Lines::text) {
    document.text = std::move(line);
  } else {
    json object = json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("text") || !object["text"].is_string()) {
      throw InputError(
          fmt::format("{}:{}: expected a JSON object with a string \"text\", found something else; a file of plain "
                      "texts must not end in .jsonl",
                      name_, line_));
    }
    document.text = std::move(object["text"].get_ref<std::string&>());
    if (object.contains("id")) {
      const json& id = object["id"];
      if (!id.is_number_integer() && (!id.is_string() || id.get_ref<const std::string&>().empty())) {
        throw InputError(fmt::format(
            "{}:{}: expected \"id\" to be a string that is not empty or an integer, found something else", name_,
            line_));
      }
      document.id = id.is_string() ? id.get<std::string>() : id.dump();
    }
  }
  try {
    CodePointIndex{document.text};
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}:{}: {}", name_, line_, error.what()));
  }
  return document;
}

}  // namespace entune
