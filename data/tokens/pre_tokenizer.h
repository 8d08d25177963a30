#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace entune {

/// Cuts text into the words inside which a byte-level BPE merges. One of four rules, by name:
///   gpt2     contractions, letters, digits and other characters, each with one leading space, and white space
///   smollm   every digit alone first, then gpt2 on what lies between them
///   llama3   contractions in any case, letters with one leading character, up to three digits, line breaks kept
///   together qwen2    llama3, but every digit alone
/// Character classes are those of Unicode 16, as the `tokenizers` package has them.
class PreTokenizer {
 public:
  /// Throws InputError for another name.
  explicit PreTokenizer(std::string_view name);
  ~PreTokenizer();

  /// The words of `text` (valid UTF-8) in order; they cover it whole.
  std::vector<std::string_view> split(std::string_view text) const;

  static const std::vector<std::string>& names();

 private:
  struct Pattern;
  std::unique_ptr<Pattern> digits_;  // smollm alone
  std::unique_ptr<Pattern> words_;
};

}  // namespace entune
