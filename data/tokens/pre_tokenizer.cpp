#include "data/tokens/pre_tokenizer.h"

#include <fmt/format.h>

#include <stdexcept>

#include "data/input_error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace entune {
namespace {

// What the patterns mean by a letter, a number and white space, for use inside [...]. PCRE2 10.42 (Debian 12) knows
// Unicode 14: the ranges behind \p are what Unicode 15 to 16 added. PCRE2's own \s has U+180E, which is no white space
// since Unicode 6.3.
#define LETTERS                                                                                                         \
  R"(\p{L}\x{1c89}\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65}\x{10d6f}-\x{10d85})" \
  R"(\x{10ec2}-\x{10ec4}\x{1123f}\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1})"  \
  R"(\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10}\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446})"          \
  R"(\x{13460}-\x{143fa}\x{16100}-\x{1611d}\x{16d40}-\x{16d6c}\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a})"          \
  R"(\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})"
#define NUMBERS                                                                                             \
  R"(\p{N}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139})" \
  R"(\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})"
#define SPACES R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})"

// A run of white space leaves its last character to the word behind it.
#define SPACE_RUNS "[" SPACES "]+(?![^" SPACES "])|[" SPACES "]+"

// The digit rule of `tokenizers` goes by Rust's tables, which are those of Unicode 17.
constexpr const char* kOneDigit = "[" NUMBERS R"(\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])";
constexpr const char* kGpt2 =
    "'(?:[stmd]|re|ve|ll)| ?[" LETTERS "]+| ?[" NUMBERS "]+| ?[^" SPACES LETTERS NUMBERS "]+|" SPACE_RUNS;
#define MODERN(digits)                                                                         \
  "(?i:'(?:[stmd]|re|ve|ll))|[^\\r\\n" LETTERS NUMBERS "]?[" LETTERS "]+|[" NUMBERS "]" digits \
  "| ?[^" SPACES LETTERS NUMBERS "]+[\\r\\n]*|[" SPACES "]*[\\r\\n]+|" SPACE_RUNS
constexpr const char* kLlama3 = MODERN("{1,3}");
constexpr const char* kQwen2 = MODERN("");

}  // namespace

/// A compiled pattern. Matching is thread-safe: each call has match data of its own.
struct PreTokenizer::Pattern {
  explicit Pattern(const char* source) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source), PCRE2_ZERO_TERMINATED, PCRE2_UTF, &error, &offset,
                             nullptr));
    if (!code) throw std::logic_error(fmt::format("pre-tokenizer pattern: PCRE2 error {} at {}", error, offset));
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where there is no JIT, matching is slower and the same
  }

  /// Calls on_match for the matches in `text`, in order, and on_gap for what lies between them.
  template <typename OnMatch, typename OnGap>
  void for_each(std::string_view text, OnMatch on_match, OnGap on_gap) const {
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
        pcre2_match_data_create_from_pattern(code.get(), nullptr), &pcre2_match_data_free);
    std::size_t at = 0;
    while (at < text.size()) {
      const int found = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                    PCRE2_NO_UTF_CHECK, data.get(), nullptr);
      if (found == PCRE2_ERROR_NOMATCH) break;
      if (found < 0)
        throw std::runtime_error(
            fmt::format("pre-tokenizer: PCRE2 error {} in a text of {} bytes", found, text.size()));
      const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
      if (range[0] > at) on_gap(text.substr(at, range[0] - at));
      on_match(text.substr(range[0], range[1] - range[0]));
      at = range[1];
    }
    if (at < text.size()) on_gap(text.substr(at));
  }

  struct Free {
    void operator()(pcre2_code* compiled) const { pcre2_code_free(compiled); }
  };
  std::unique_ptr<pcre2_code, Free> code;
};

PreTokenizer::PreTokenizer(std::string_view name) {
  if (name == "gpt2") {
    words_ = std::make_unique<Pattern>(kGpt2);
  } else if (name == "smollm") {
    digits_ = std::make_unique<Pattern>(kOneDigit);
    words_ = std::make_unique<Pattern>(kGpt2);
  } else if (name == "llama3") {
    words_ = std::make_unique<Pattern>(kLlama3);
  } else if (name == "qwen2") {
    words_ = std::make_unique<Pattern>(kQwen2);
  } else {
    throw InputError(
        fmt::format("tokenizer: expected a pre-tokenizer of {}; found \"{}\"; use a model with one of these",
                    fmt::join(names(), ", "), name));
  }
}

PreTokenizer::~PreTokenizer() = default;

const std::vector<std::string>& PreTokenizer::names() {
  static const std::vector<std::string> kNames = {"smollm", "gpt2", "llama3", "qwen2"};
  return kNames;
}

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
  std::vector<std::string_view> words;
  const auto add = [&](std::string_view word) { words.push_back(word); };
  const auto add_words_of = [&](std::string_view part) { words_->for_each(part, add, add); };
  if (digits_) {
    digits_->for_each(text, add, add_words_of);  // what lies between two digits is cut as a text of its own
  } else {
    add_words_of(text);
  }
  return words;
}

}  // namespace entune
