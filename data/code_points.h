#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace entune {

/// Maps code-point offsets to byte offsets of one UTF-8 text and back. Keeps a view: the text must outlive it.
class CodePointIndex {
 public:
  /// Throws InputError if `text` is not valid UTF-8.
  explicit CodePointIndex(std::string_view text);

  std::int64_t size() const { return static_cast<std::int64_t>(starts_.size()) - 1; }  ///< code points in the text
  /// Byte where code point `index` begins; index in [0, size()], size() gives the text's length in bytes.
  std::size_t byte_offset(std::int64_t index) const { return starts_[static_cast<std::size_t>(index)]; }
  /// Code point that begins at `byte`, or -1 if none begins there. text.size() gives size().
  std::int64_t code_point(std::size_t byte) const;
  /// The code points [start, end).
  std::string_view slice(std::int64_t start, std::int64_t end) const;

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;  // size() + 1 entries
};

}  // namespace entune
