#include <fmt/format.h>

#include <utility>

#include "data/code_points.h"
#include "data/input_error.h"
#include "data/readers/readers.h"

namespace entune {
namespace {

constexpr std::string_view kDocumentStart = "-DOCSTART-";

struct Tag {
  char prefix = 'O';  // O, B, I, E or S
  std::string_view label;
};

/// Collects one sentence and its entities.
class SentenceBuilder {
 public:
  explicit SentenceBuilder(std::string_view scheme) : scheme_(scheme) {}

  bool empty() const { return num_tokens_ == 0; }

  void add(std::int64_t line, std::string_view token, Tag tag) {
    if (num_tokens_++ == 0) {
      sample_.line = line;
    } else {
      sample_.text += ' ';
      ++length_;
    }
    const std::int64_t start = length_;
    sample_.text += token;
    try {
      length_ += CodePointIndex(token).size();
    } catch (const InputError& error) {
      throw SampleError(line, error.what());
    }
    last_line_ = line;
    if (!continues(tag) && scheme_ == "bioes" && is_open_) fail("expected I- or E- of the open entity");
    if (tag.prefix == 'O') {
      inside_ = is_open_ = false;
      return;
    }
    if (continues(tag)) {
      sample_.entities.back().end = length_;
    } else {
      if (!may_begin(tag)) fail("expected a tag that can stand here");
      sample_.entities.push_back({start, length_, std::string(tag.label), std::nullopt});
    }
    inside_ = true;
    is_open_ = tag.prefix == 'B' || tag.prefix == 'I';
  }

  RawSample finish() {
    if (scheme_ == "bioes" && is_open_) fail("expected E- before the end of the sentence");
    return std::move(sample_);
  }

 private:
  bool same_label(const Tag& tag) const { return inside_ && sample_.entities.back().label == tag.label; }

  bool continues(const Tag& tag) const {
    if (scheme_ == "bioes") return is_open_ && (tag.prefix == 'I' || tag.prefix == 'E') && same_label(tag);
    return tag.prefix == 'I' && same_label(tag);
  }

  bool may_begin(const Tag& tag) const {
    if (scheme_ == "iob1") return tag.prefix == 'I' || (tag.prefix == 'B' && same_label(tag));
    if (scheme_ == "bioes") return tag.prefix == 'B' || tag.prefix == 'S';
    return tag.prefix == 'B';
  }

  [[noreturn]] void fail(const char* expected) const {
    throw SampleError(last_line_, fmt::format("{}, found another; is the file's scheme {}?", expected, scheme_));
  }

  std::string_view scheme_;
  RawSample sample_;
  std::int64_t num_tokens_ = 0;
  std::int64_t length_ = 0;  // code points of the text so far
  bool inside_ = false;      // the token before belongs to the last entity
  bool is_open_ = false;     // bioes: that entity still waits for its E-
  std::int64_t last_line_ = 0;
};

Tag parse_tag(std::string_view tag, const std::string& scheme, std::int64_t line) {
  if (tag == "O") return {};
  const std::string_view prefixes = scheme == "bioes" ? "BIES" : "BI";
  if (tag.size() < 3 || tag[1] != '-' || prefixes.find(tag[0]) == std::string_view::npos) {
    throw SampleError(line,
                      fmt::format("expected O or one of {} with '-' and a label in the last column, found another tag",
                                  scheme == "bioes" ? "B, I, E, S" : "B, I"));
  }
  return {tag[0], tag.substr(2)};
}

/// First and last column.
std::pair<std::string_view, std::string_view> split_columns(std::string_view text, std::int64_t line) {
  const bool by_tab = text.find('\t') != std::string_view::npos;
  const std::string_view separators = by_tab ? "\t" : " ";
  const std::size_t last = text.find_last_not_of(" \t");
  text = text.substr(0, last + 1);
  const std::size_t first_end = text.find_first_of(separators);
  const std::size_t last_start = text.find_last_of(separators);
  if (first_end == std::string_view::npos || first_end == 0) {
    throw SampleError(line, "expected a token and its tag in columns, found one column");
  }
  return {text.substr(0, first_end), text.substr(last_start + 1)};
}

}  // namespace

void read_conll(std::string_view contents, const std::string& scheme, SampleSink& sink) {
  SentenceBuilder sentence(scheme);
  bool skipping = false;  // the rest of a rejected sentence
  const auto end_sentence = [&] {
    try {
      if (!skipping && !sentence.empty()) sink.add(sentence.finish());
    } catch (const SampleError& error) {
      sink.reject(error);
    }
    sentence = SentenceBuilder(scheme);
    skipping = false;
  };
  std::int64_t line = 0;
  while (!contents.empty()) {
    const std::size_t newline = contents.find('\n');
    std::string_view text = contents.substr(0, newline);
    contents.remove_prefix(newline == std::string_view::npos ? contents.size() : newline + 1);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    ++line;
    if (text.find_first_not_of(" \t") == std::string_view::npos || text.starts_with(kDocumentStart)) {
      end_sentence();
      continue;
    }
    if (skipping) continue;
    try {
      if (text.size() > kMaxLineBytes)
        throw SampleError(line, fmt::format("expected a line of at most {} bytes", kMaxLineBytes));
      const auto [token, tag] = split_columns(text, line);
      sentence.add(line, token, parse_tag(tag, scheme, line));
    } catch (const SampleError& error) {
      sink.reject(error);
      skipping = true;
    }
  }
  end_sentence();
}

}  // namespace entune
