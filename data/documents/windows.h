#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace entune {

/// How a long text is cut.
struct WindowLimits {
  std::int64_t max_tokens = 0;  ///< of a window, at least 1
  std::int64_t overlap = 0;     ///< code points that neighbours share, where they can
  /// Tokens of a text; at least 1 for one that is not empty. Called on pieces of the text whose sizes sum up to a small
  /// multiple of the text's.
  std::function<std::int64_t(std::string_view)> count_tokens;
  std::int64_t whole_tokens = 0;  ///< a text of so many tokens at most stays whole, even if it has more than max_tokens
};

/// The code points [start, end) of a text.
struct Window {
  std::int64_t start = 0;
  std::int64_t end = 0;

  friend bool operator==(const Window&, const Window&) = default;
};

/// Cuts `text` (valid UTF-8) into windows, in order. A text of at most max_tokens or whole_tokens is one window,
/// as it is.
/// Otherwise:
///   - every code point but white space lies in a window; both starts and ends ascend;
///   - a window has at most max_tokens tokens, unless it is a single code point;
///   - it ends behind a sentence or a line if one ends in its second half and leaves room for the overlap, else before
///     white space, else behind a word of split_words: never inside a word, unless the word alone has more than
///     max_tokens; then at a code point's border;
///   - it begins at a word, the last one that leaves `overlap` code points, but no more than half of the window before
///     it, to be shared with that one; and later where it would otherwise not get beyond that window's end.
/// A window that was cut out has no white space at its ends.
std::vector<Window> cut(std::string_view text, const WindowLimits& limits);

}  // namespace entune
