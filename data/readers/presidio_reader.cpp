#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "data/readers/json_sample.h"
#include "data/readers/readers.h"

namespace entune {
namespace {

constexpr JsonSampleKeys kKeys{"full_text", "spans", "start_position", "end_position", "entity_type", "entity_value"};

/// Walks over the elements of a JSON array without parsing them, so that every element is parsed alone and its line is
/// known: one bad sample does not take the others with it.
class ArrayScanner {
 public:
  explicit ArrayScanner(std::string_view contents) : contents_(contents) {
    skip_space();
    if (!take('[')) fail("expected a JSON array of samples");
    skip_space();
    if (take(']')) close();
  }

  bool at_end() const { return closed_; }
  std::int64_t line() const { return line_; }

  /// The bytes of the element here; moves behind it and its comma.
  std::string_view next() {
    const std::size_t start = position_;
    skip_element();
    if (position_ == start) fail("expected a sample");
    const std::string_view element = contents_.substr(start, position_ - start);
    skip_space();
    if (take(']')) {
      close();
    } else if (take(',')) {
      skip_space();
    } else {
      fail("expected ',' or ']' behind a sample");
    }
    return element;
  }

 private:
  bool take(char c) {
    if (position_ >= contents_.size() || contents_[position_] != c) return false;
    ++position_;
    return true;
  }

  void advance() {
    if (contents_[position_] == '\n') ++line_;
    ++position_;
  }

  void skip_space() {
    while (position_ < contents_.size() &&
           std::string_view(" \t\r\n").find(contents_[position_]) != std::string_view::npos) {
      advance();
    }
  }

  void skip_element() {
    std::int64_t depth = 0;
    bool in_string = false;
    for (; position_ < contents_.size(); advance()) {
      const char c = contents_[position_];
      if (in_string) {
        if (c == '\\' && position_ + 1 < contents_.size()) {
          advance();
        } else if (c == '"') {
          in_string = false;
        }
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (depth == 0 && (c == ',' || c == ']')) {
        return;
      } else if (c == '}' || c == ']') {
        if (--depth == 0) {
          advance();
          return;
        }
        if (depth < 0) fail("expected a sample");
      }
    }
    fail("expected the end of a sample and of the array");
  }

  void close() {
    closed_ = true;
    skip_space();
    if (position_ != contents_.size()) fail("expected nothing behind the array");
  }

  [[noreturn]] void fail(const char* expected) const {
    const bool ended = position_ >= contents_.size();
    throw SampleError(line_, fmt::format("{}, found {}; check that the file is complete", expected,
                                         ended ? "the end of the file" : "another character"));
  }

  std::string_view contents_;
  std::size_t position_ = 0;
  std::int64_t line_ = 1;
  bool closed_ = false;
};

}  // namespace

void read_presidio(std::string_view contents, const std::string& group_key, SampleSink& sink) {
  ArrayScanner scanner(contents);
  while (!scanner.at_end()) {
    const std::int64_t line = scanner.line();
    const std::string_view element = scanner.next();
    try {
      if (element.size() > kMaxLineBytes) {
        throw SampleError(
            line, fmt::format("expected a sample of at most {} bytes, found {}", kMaxLineBytes, element.size()));
      }
      sink.add(json_to_sample(parse_strict_json(element, line), kKeys, group_key, line));
    } catch (const SampleError& error) {
      sink.reject(error);
    }
  }
}

}  // namespace entune
