#include "data/documents/merge.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "data/code_points.h"

namespace entune {
namespace {

/// One span of the document, as the windows saw it.
struct Span {
  Entity entity;
  std::vector<std::size_t> windows = {};  ///< that saw it, whole or in part; ascending
  bool is_whole = false;                  ///< a window saw it and text, or the document's end, beyond both its ends
  bool cut_off = false;                   ///< it ends with a window, and the text goes on
  bool cut_on = false;                    ///< it begins with a window, and the text began before
  std::int64_t context = 0;
  std::vector<std::size_t> wholes = {};  ///< longer spans that it may be a part of
  std::optional<std::size_t> gave_way_to = {};
  bool is_part = false;  ///< it gave way to a longer span that it is a part of
};

void add_windows(Span& span, const std::vector<std::size_t>& windows) {
  std::vector<std::size_t> all;
  std::set_union(span.windows.begin(), span.windows.end(), windows.begin(), windows.end(), std::back_inserter(all));
  span.windows = std::move(all);
}

bool share_a_window(const Span& a, const Span& b) {
  auto i = a.windows.begin(), j = b.windows.begin();
  while (i != a.windows.end() && j != b.windows.end()) {
    if (*i == *j) return true;
    *i < *j ? ++i : ++j;
  }
  return false;
}

std::int64_t length(const Span& span) { return span.entity.end - span.entity.start; }

bool overlap(const Entity& a, const Entity& b) { return a.start < b.end && b.start < a.end; }

/// The spans of one reading and what becomes of them.
class SpanMerger {
 public:
  explicit SpanMerger(const std::vector<Window>& windows) : windows_(windows) {}

  /// The number of the span; equal ones have the same.
  std::size_t add(const Entity& entity, std::size_t window) {
    const auto [found, is_new] = by_start_.try_emplace(entity, spans_.size());
    if (is_new) {
      spans_.push_back({.entity = entity});
      by_end_.emplace(std::tuple(entity.end, entity.start, entity.label), found->second);
    }
    Span& span = spans_[found->second];
    if (span.windows.empty() || span.windows.back() != window) span.windows.push_back(window);
    span.context = std::max(span.context, context_in(entity, window));
    const bool cut_off = window + 1 < windows_.size() && entity.end == windows_[window].end;
    const bool cut_on = window > 0 && entity.start == windows_[window].start;
    span.cut_off |= cut_off;
    span.cut_on |= cut_on;
    span.is_whole |= !cut_off && !cut_on;
    return found->second;
  }

  void merge() {
    num_seen_ = spans_.size();
    std::vector<std::size_t> shortest_first(spans_.size());
    std::iota(shortest_first.begin(), shortest_first.end(), std::size_t{0});
    std::stable_sort(shortest_first.begin(), shortest_first.end(),
                     [&](std::size_t a, std::size_t b) { return length(spans_[a]) < length(spans_[b]); });
    for (const std::size_t i : shortest_first) find_wholes(i);
    for (const auto& [entity, i] : std::map(by_start_)) join_halves(i);
    choose();
  }

  /// The span that `number` is, or gave way to.
  std::size_t final_of(std::size_t number) const { return spans_[number].gave_way_to.value_or(number); }
  const Entity& entity(std::size_t number) const { return spans_[number].entity; }
  /// No window saw it: it was made of halves.
  bool is_joined(std::size_t number) const { return number >= num_seen_; }
  std::size_t size() const { return spans_.size(); }

 private:
  std::int64_t context_in(const Entity& entity, std::size_t window) const {
    constexpr std::int64_t kEndless = std::numeric_limits<std::int64_t>::max();
    const std::int64_t left = window == 0 ? kEndless : entity.start - windows_[window].start;
    const std::int64_t right = window + 1 == windows_.size() ? kEndless : windows_[window].end - entity.end;
    return std::min(left, right);
  }

  void add_whole(std::size_t part, std::size_t whole) {
    add_windows(spans_[whole], spans_[part].windows);
    spans_[part].wholes.push_back(whole);
  }

  /// A span that is cut off and begins where a longer one of its label does is that one, as its window saw it.
  void find_wholes(std::size_t part) {
    if (spans_[part].is_whole) return;
    const Entity entity = spans_[part].entity;
    if (spans_[part].cut_off) {
      for (auto at = by_start_.upper_bound({entity.start, entity.end, entity.label});
           at != by_start_.end() && at->first.start == entity.start; ++at) {
        if (at->first.end > entity.end && at->first.label == entity.label) add_whole(part, at->second);
      }
    }
    if (spans_[part].cut_on) {
      for (auto at = by_end_.lower_bound({entity.end, 0, ""}); at != by_end_.end(); ++at) {
        const auto& [end, start, label] = at->first;
        if (end != entity.end || start >= entity.start) break;
        if (label == entity.label) add_whole(part, at->second);
      }
    }
  }

  /// Of the spans that go on where `half` is cut off, the one that reaches farthest.
  std::optional<std::size_t> other_half(const Span& half) const {
    std::optional<std::size_t> best;
    for (std::size_t next = half.windows.back() + 1; next < windows_.size() && windows_[next].start < half.entity.end;
         ++next) {
      const std::int64_t start = windows_[next].start;
      for (auto at = by_start_.lower_bound({start, 0, ""}); at != by_start_.end() && at->first.start == start; ++at) {
        const Span& other = spans_[at->second];
        if (other.cut_on && !other.is_whole && other.wholes.empty() && other.entity.label == half.entity.label &&
            start > half.entity.start && other.entity.end > (best ? spans_[*best].entity.end : half.entity.end)) {
          best = at->second;
        }
      }
    }
    return best;
  }

  void join_halves(std::size_t first) {
    while (spans_[first].cut_off && !spans_[first].is_whole && spans_[first].wholes.empty()) {
      const std::optional<std::size_t> second = other_half(spans_[first]);
      if (!second) return;
      const Entity whole{spans_[first].entity.start, spans_[*second].entity.end, spans_[first].entity.label};
      const auto [found, is_new] = by_start_.try_emplace(whole, spans_.size());
      if (is_new) {
        spans_.push_back({.entity = whole});
        spans_.back().cut_off = spans_[*second].cut_off;
        spans_.back().cut_on = spans_[first].cut_on;
      }
      add_whole(first, found->second);
      add_whole(*second, found->second);
      first = found->second;
    }
  }

  /// Parts give way to a whole that stays, and of other spans of different windows that overlap the better one stays.
  void choose() {
    std::vector<std::size_t> order(spans_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const Span &x = spans_[a], &y = spans_[b];
      return std::tuple(length(y), y.context, x.entity.start, x.entity.label) <
             std::tuple(length(x), x.context, y.entity.start, y.entity.label);
    });
    std::vector<std::vector<std::size_t>> staying(windows_.size());  // by the windows that they reach into
    for (const std::size_t i : order) {
      const Entity& entity = spans_[i].entity;
      for (const std::size_t whole : spans_[i].wholes) {  // longer, so it is decided
        const bool stays = !spans_[whole].gave_way_to;
        if (!stays && !spans_[whole].is_part) continue;
        spans_[i].gave_way_to = stays ? whole : spans_[whole].gave_way_to;
        spans_[i].is_part = true;
      }
      if (spans_[i].gave_way_to) continue;
      const auto first = std::partition_point(windows_.begin(), windows_.end(),
                                              [&](const Window& window) { return window.end <= entity.start; });
      std::vector<std::size_t> reached;
      for (auto window = first; window != windows_.end() && window->start < entity.end; ++window)
        reached.push_back(static_cast<std::size_t>(window - windows_.begin()));
      for (const std::size_t window : reached) {
        for (const std::size_t other : staying[window]) {
          if (overlap(entity, spans_[other].entity) && !share_a_window(spans_[i], spans_[other]))
            spans_[i].gave_way_to = other;
        }
      }
      if (spans_[i].gave_way_to) continue;
      for (const std::size_t window : reached) staying[window].push_back(i);
    }
  }

  const std::vector<Window>& windows_;
  std::vector<Span> spans_;
  std::size_t num_seen_ = 0;
  std::map<Entity, std::size_t> by_start_;
  std::map<std::tuple<std::int64_t, std::int64_t, std::string>, std::size_t> by_end_;
};

/// A mention of a window, with places of the document.
struct Sighting {
  Mention mention;
  std::optional<std::size_t> raw, repaired;  // numbers of the spans
};

}  // namespace

ParsedAnswer merge_answers(std::string_view text, const std::vector<Window>& windows,
                           std::vector<ParsedAnswer> answers) {
  ParsedAnswer merged;
  SpanMerger raw(windows), repaired(windows);
  std::vector<Sighting> sightings;
  for (std::size_t window = 0; window < windows.size(); ++window) {
    ParsedAnswer& answer = answers[window];
    for (std::size_t fault = 0; fault < kNumAnswerFaults; ++fault) merged.faults[fault] += answer.faults[fault];
    merged.copy.edits += answer.copy.edits;
    merged.copy.length += answer.copy.length;
    const auto add = [&](std::optional<Entity>& place, SpanMerger& spans) -> std::optional<std::size_t> {
      if (!place) return std::nullopt;
      place->start += windows[window].start;
      place->end += windows[window].start;
      return spans.add(*place, window);
    };
    for (Mention& mention : answer.mentions) {
      Sighting sighting{std::move(mention), {}, {}};
      sighting.raw = add(sighting.mention.raw, raw);
      sighting.repaired = add(sighting.mention.repaired, repaired);
      sightings.push_back(std::move(sighting));
    }
  }
  if (windows.size() == 1) {  // nothing to merge, repeated mentions stay
    for (Sighting& sighting : sightings) merged.mentions.push_back(std::move(sighting.mention));
    return merged;
  }
  raw.merge();
  repaired.merge();

  const CodePointIndex index(text);
  std::vector<bool> raw_taken(raw.size()), repaired_taken(repaired.size());
  for (Sighting& sighting : sightings) {
    const auto settle = [&](std::optional<Entity>& place, const std::optional<std::size_t>& number,
                            const SpanMerger& spans, std::vector<bool>& taken) {
      if (!number) return false;
      const std::size_t final = spans.final_of(*number);
      place = spans.entity(final);
      if (taken[final] || !(final == *number || spans.is_joined(final))) return false;
      if (final != *number) sighting.mention.value = std::string(index.slice(place->start, place->end));
      return static_cast<bool>(taken[final] = true);
    };
    const bool raw_stays = settle(sighting.mention.raw, sighting.raw, raw, raw_taken);
    const bool repaired_stays = settle(sighting.mention.repaired, sighting.repaired, repaired, repaired_taken);
    const bool has_place = sighting.raw || sighting.repaired;
    if (raw_stays || repaired_stays || !has_place) merged.mentions.push_back(std::move(sighting.mention));
  }
  return merged;
}

}  // namespace entune
