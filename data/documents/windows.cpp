#include "data/documents/windows.h"

#include <utf8.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

#include "data/code_points.h"
#include "data/formats/word_splitter.h"

namespace entune {
namespace {

/// How good a place is for a window to begin or to end at. None: at white space.
enum class Limit : std::uint8_t { none, inside_word, word, white_space, sentence };

bool is_line_break(char32_t c) { return (c >= 0x0A && c <= 0x0D) || c == 0x85 || c == 0x2028 || c == 0x2029; }

bool is_one_of(char32_t c, std::u32string_view set) { return set.find(c) != std::u32string_view::npos; }

/// Whether a sentence ends with the word [start, end): at a full-width stop; at a stop before white space, perhaps with
/// closing marks between them; and where the line does.
bool ends_sentence(std::u32string_view points, std::size_t start, std::size_t end) {
  if (is_one_of(points[start], U"\u3002\uFF01\uFF1F")) return true;
  if (end < points.size() && !is_white_space(points[end])) return false;
  for (std::size_t at = end; at < points.size() && is_white_space(points[at]); ++at) {
    if (is_line_break(points[at])) return true;
  }
  constexpr std::size_t kMaxClosingMarks = 3;
  for (std::size_t i = 0; i < kMaxClosingMarks && start > 0; ++i) {
    if (!is_one_of(points[start], U")]}\"'\u201D\u2019\u00BB")) break;
    --start;
  }
  return is_one_of(points[start], U".!?\u2026");
}

/// Of every place between code points: how good it is to begin there, and to end there.
struct Limits {
  explicit Limits(std::string_view text) {
    std::u32string points;
    utf8::utf8to32(text.begin(), text.end(), std::back_inserter(points));
    begin.assign(points.size() + 1, Limit::none);
    end.assign(points.size() + 1, Limit::none);
    for (const Word& word : split_words(text)) {
      const auto first = static_cast<std::size_t>(word.start), behind = static_cast<std::size_t>(word.end);
      std::fill(begin.begin() + word.start, begin.begin() + word.end, Limit::inside_word);
      std::fill(end.begin() + word.start + 1, end.begin() + word.end, Limit::inside_word);
      begin[first] = first == 0 || is_white_space(points[first - 1]) ? Limit::white_space : Limit::word;
      end[behind] = behind == points.size() || is_white_space(points[behind]) ? Limit::white_space : Limit::word;
      if (ends_sentence(points, first, behind)) end[behind] = Limit::sentence;
    }
  }

  std::vector<Limit> begin, end;
};

class Cutter {
 public:
  Cutter(std::string_view text, const WindowLimits& limits)
      : index_(text), limits_(text), options_(limits), last_length_(limits.max_tokens) {
    size_ = index_.size();
    while (size_ > 0 && end_limit(size_) == Limit::none) --size_;
  }

  std::vector<Window> cut() {
    std::vector<Window> windows;
    std::int64_t start = first_begin(0), covered = start;
    while (start < size_) {
      const std::optional<std::int64_t> end = end_of(start, covered);
      if (!end) {  // begins so early that it does not get beyond what is covered
        start = begin_from(start + (covered - start + 1) / 2, covered);
        continue;
      }
      windows.push_back({start, *end});
      covered = *end;
      start = covered < size_ ? begin_after(start, covered) : size_;
    }
    return windows;
  }

 private:
  Limit begin_limit(std::int64_t at) const { return limits_.begin[static_cast<std::size_t>(at)]; }
  Limit end_limit(std::int64_t at) const { return limits_.end[static_cast<std::size_t>(at)]; }

  std::int64_t tokens(std::int64_t start, std::int64_t end) const {
    return options_.count_tokens(index_.slice(start, end));
  }
  bool fits(std::int64_t start, std::int64_t end) const { return tokens(start, end) <= options_.max_tokens; }

  std::int64_t first_begin(std::int64_t at) const {
    while (at < size_ && begin_limit(at) == Limit::none) ++at;
    return at;
  }

  /// The first place at a word from `at` on; where the word across `at` was cut at `covered`, `at` itself.
  std::int64_t begin_from(std::int64_t at, std::int64_t covered) const {
    for (std::int64_t next = at; next < covered; ++next) {
      if (begin_limit(next) >= Limit::word) return next;
    }
    return end_limit(covered) == Limit::inside_word && at < covered ? at : first_begin(covered);
  }

  /// Where the window behind [start, covered) begins.
  std::int64_t begin_after(std::int64_t start, std::int64_t covered) const {
    const std::int64_t middle = start + (covered - start + 1) / 2;
    const std::int64_t last = std::max(middle, covered - options_.overlap);
    if (last >= covered) return first_begin(covered);
    for (const Limit least : {Limit::white_space, Limit::word}) {
      for (std::int64_t at = last; at >= middle; --at) {
        if (begin_limit(at) >= least) return at;
      }
    }
    for (std::int64_t at = middle - 1; at > start; --at) {  // a word lies across
      if (begin_limit(at) >= Limit::word) return at;
    }
    return begin_from(last, covered);
  }

  /// Of the places in [from, to] to end at that are at least as good as `least`, the last one.
  std::optional<std::int64_t> last_end(std::int64_t from, std::int64_t to, Limit least) const {
    for (std::int64_t at = to; at >= from; --at) {
      if (end_limit(at) >= least) return at;
    }
    return std::nullopt;
  }

  /// How far a window from `start` on may reach: seen to fit, and seen to be too much.
  struct Reach {
    std::int64_t fits;
    std::int64_t too_far;
  };
  Reach reach_of(std::int64_t start) {
    constexpr int kEnoughTries = 8;
    constexpr double kNearlyFull = 1.1;
    Reach reach{start, size_ + 1};
    std::int64_t length = last_length_;
    for (int tries = 1; reach.fits + 1 < reach.too_far && (tries <= kEnoughTries || reach.fits == start); ++tries) {
      std::int64_t at = std::min(start + length, size_);
      if (at <= reach.fits || at >= reach.too_far || tries > kEnoughTries) at = (reach.fits + reach.too_far) / 2;
      length = at - start;
      const std::int64_t count = std::max<std::int64_t>(tokens(start, at), 1);
      const double ratio = static_cast<double>(options_.max_tokens) / static_cast<double>(count);
      if (count <= options_.max_tokens) {
        reach.fits = at;
        if (ratio < kNearlyFull) break;
        length =
            std::max(length + 1, std::min(2 * length, static_cast<std::int64_t>(static_cast<double>(length) * ratio)));
      } else {
        reach.too_far = at;
        length = static_cast<std::int64_t>(static_cast<double>(length) * ratio * 0.95);
      }
    }
    last_length_ = std::max<std::int64_t>(reach.fits - start, 1);
    return reach;
  }

  /// Where the window that begins at `start` ends; nullopt if that is not beyond `covered`.
  std::optional<std::int64_t> end_of(std::int64_t start, std::int64_t covered) {
    Reach reach = reach_of(start);
    if (reach.fits == size_) return size_;
    const std::int64_t from = std::max(start, covered) + 1;
    while (true) {
      // Not so early that the next window could not share the overlap.
      const std::int64_t least = start + std::max((reach.fits - start + 1) / 2, 2 * options_.overlap);
      std::optional<std::int64_t> end = last_end(std::max(from, least), reach.fits, Limit::sentence);
      if (!end) end = last_end(from, reach.fits, Limit::white_space);
      if (!end) end = last_end(from, reach.fits, Limit::word);
      if (!end) break;
      if (fits(start, *end)) return end;
      reach.fits = *end - 1;  // a piece of a text may have more tokens than the text
    }
    if (last_end(start + 1, reach.fits, Limit::word)) return std::nullopt;
    return end_inside_word(start, reach, from);
  }

  /// The window's first word reaches beyond what fits: its end if that fits after all, else a place inside it.
  std::optional<std::int64_t> end_inside_word(std::int64_t start, Reach reach, std::int64_t from) {
    std::int64_t end = std::max(reach.fits, start);
    while (end + 1 < reach.too_far) {
      std::int64_t at = end + 1;
      const std::int64_t farthest = std::min(reach.too_far - 1, at + (end - start));
      while (at < farthest && end_limit(at) == Limit::inside_word) ++at;
      if (!fits(start, at)) break;
      end = at;
      if (end_limit(at) != Limit::inside_word) break;
    }
    end = std::max(end, start + 1);
    return end >= from ? std::optional(end) : std::nullopt;
  }

  const CodePointIndex index_;
  const Limits limits_;
  const WindowLimits& options_;
  std::int64_t size_ = 0;  // without the white space at the end
  std::int64_t last_length_;
};

}  // namespace

std::vector<Window> cut(std::string_view text, const WindowLimits& limits) {
  if (limits.count_tokens(text) <= std::max(limits.max_tokens, limits.whole_tokens))
    return {{0, CodePointIndex(text).size()}};
  return Cutter(text, limits).cut();
}

}  // namespace entune
