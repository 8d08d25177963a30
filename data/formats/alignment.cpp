#include "data/formats/alignment.h"

#include <utf8.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "data/formats/occurrences.h"
#include "data/formats/word_splitter.h"

namespace entune {
namespace {

/// A stretch of the input in code points.
using Place = std::pair<std::int64_t, std::int64_t>;

/// The text without white space and in ASCII lower case; `starts[i]` and `ends[i]` bound, in the text's code points,
/// what byte i came from.
struct FoldedText {
  std::string bytes;
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> ends;
};

FoldedText fold(std::string_view text) {
  FoldedText folded;
  std::int64_t position = 0;
  for (auto at = text.begin(); at != text.end(); ++position) {
    const auto begin = at;
    if (is_white_space(utf8::next(at, text.end()))) continue;
    for (auto byte = begin; byte != at; ++byte) {
      folded.bytes += *byte >= 'A' && *byte <= 'Z' ? static_cast<char>(*byte - 'A' + 'a') : *byte;
      folded.starts.push_back(position);
      folded.ends.push_back(position + 1);
    }
  }
  return folded;
}

std::string_view trim_edges(std::string_view value) {
  static const std::string kEdge = " \t\n\r\f\v" + std::string(kEdgePunctuation);
  const std::size_t first = value.find_first_not_of(kEdge);
  if (first == std::string_view::npos) return {};
  return value.substr(first, value.find_last_not_of(kEdge) - first + 1);
}

/// Rule 2, with the places of each value looked up once.
class PlaceFinder {
 public:
  PlaceFinder(std::string_view input, const CodePointIndex& index) : input_(input), index_(index) {}

  const std::vector<Place>& places(const std::string& value) {
    const auto [entry, is_new] = cache_.try_emplace(value);
    if (is_new) entry->second = find(value);
    return entry->second;
  }

 private:
  std::vector<Place> find(std::string_view value) {
    const std::string_view trimmed = trim_edges(value);
    std::vector<Place> found = exact(value);
    if (found.empty() && trimmed != value) found = exact(trimmed);
    if (found.empty()) found = loose(trimmed);
    return found;
  }

  std::vector<Place> exact(std::string_view value) const {
    std::vector<Place> found;
    for (const std::size_t byte : find_occurrences(value, input_)) {
      found.emplace_back(index_.code_point(byte), index_.code_point(byte + value.size()));
    }
    return found;
  }

  std::vector<Place> loose(std::string_view value) {
    if (folded_input_.bytes.empty()) folded_input_ = fold(input_);
    const std::string folded = fold(value).bytes;
    std::vector<Place> found;
    for (const std::size_t byte : find_occurrences(folded, folded_input_.bytes)) {
      found.emplace_back(folded_input_.starts[byte], folded_input_.ends[byte + folded.size() - 1]);
    }
    return found;
  }

  std::string_view input_;
  const CodePointIndex& index_;
  FoldedText folded_input_;
  std::unordered_map<std::string, std::vector<Place>> cache_;
};

/// A place that a mention may take, as the last one of the best chain of mentions that ends with it.
struct Candidate {
  std::size_t mention;
  Place place;
  std::int64_t distance;    ///< to the mention's raw place
  std::int64_t length = 1;  ///< mentions in the chain
  std::int64_t total = 0;   ///< their distances
  std::ptrdiff_t previous = -1;
};

bool is_better(const Candidate& a, const Candidate& b) {
  return std::tuple(-a.length, a.total, a.place.second) < std::tuple(-b.length, b.total, b.place.second);
}

/// The best candidate that ends at or before a code point (a Fenwick tree of maxima).
class BestByEnd {
 public:
  BestByEnd(std::int64_t size, const std::vector<Candidate>& candidates)
      : best_(static_cast<std::size_t>(size) + 2, -1), candidates_(candidates) {}

  void insert(std::ptrdiff_t candidate) {
    for (std::size_t i = node(at(candidate).place.second); i < best_.size(); i += i & (~i + 1)) {
      if (best_[i] < 0 || is_better(at(candidate), at(best_[i]))) best_[i] = candidate;
    }
  }

  std::ptrdiff_t ending_by(std::int64_t position) const {
    std::ptrdiff_t best = -1;
    for (std::size_t i = node(position); i > 0; i -= i & (~i + 1)) {
      if (best_[i] >= 0 && (best < 0 || is_better(at(best_[i]), at(best)))) best = best_[i];
    }
    return best;
  }

 private:
  static std::size_t node(std::int64_t position) { return static_cast<std::size_t>(position) + 1; }
  const Candidate& at(std::ptrdiff_t i) const { return candidates_[static_cast<std::size_t>(i)]; }

  std::vector<std::ptrdiff_t> best_;
  const std::vector<Candidate>& candidates_;
};

/// Rule 3: a longest ascending chain. `candidates` are in the order of their mentions. Gives the chosen ones.
std::vector<std::ptrdiff_t> best_chain(std::vector<Candidate>& candidates, std::int64_t input_size) {
  BestByEnd best(input_size, candidates);
  std::ptrdiff_t last = -1;
  for (std::size_t begin = 0, end = 0; begin < candidates.size(); begin = end) {
    // The candidates of one mention see those of earlier mentions only.
    for (; end < candidates.size() && candidates[end].mention == candidates[begin].mention; ++end) {
      Candidate& candidate = candidates[end];
      candidate.total = candidate.distance;
      candidate.previous = best.ending_by(candidate.place.first);
      if (candidate.previous >= 0) {
        const Candidate& previous = candidates[static_cast<std::size_t>(candidate.previous)];
        candidate.length = previous.length + 1;
        candidate.total += previous.total;
      }
    }
    for (std::size_t i = begin; i < end; ++i) best.insert(static_cast<std::ptrdiff_t>(i));
  }
  last = best.ending_by(input_size);
  std::vector<std::ptrdiff_t> chain;
  for (; last >= 0; last = candidates[static_cast<std::size_t>(last)].previous) chain.push_back(last);
  return chain;
}

/// The places each mention may take, in order; see align() for the bound.
std::vector<Candidate> collect_candidates(const std::vector<Mention>& mentions, std::string_view input,
                                          const CodePointIndex& index) {
  PlaceFinder finder(input, index);
  std::vector<std::vector<Place>> anchored(mentions.size());
  std::vector<const std::vector<Place>*> places(mentions.size());
  std::size_t num_pairs = 0;
  for (std::size_t i = 0; i < mentions.size(); ++i) {
    const Mention& mention = mentions[i];
    if (mention.raw && index.slice(mention.raw->start, mention.raw->end) == mention.value) {
      anchored[i] = {{mention.raw->start, mention.raw->end}};
      places[i] = &anchored[i];
    } else {
      places[i] = &finder.places(mention.value);
    }
    num_pairs += places[i]->size();
  }
  std::vector<Candidate> candidates;
  std::unordered_map<const std::vector<Place>*, std::size_t> num_seen;
  for (std::size_t i = 0; i < mentions.size(); ++i) {
    const auto add = [&](const Place& place) {
      const std::int64_t distance = mentions[i].raw ? std::abs(place.first - mentions[i].raw->start) : 0;
      candidates.push_back({.mention = i, .place = place, .distance = distance});
    };
    if (num_pairs <= kMaxAlignmentPairs) {
      for (const Place& place : *places[i]) add(place);
    } else if (!places[i]->empty()) {
      add((*places[i])[std::min(num_seen[places[i]]++, places[i]->size() - 1)]);
    }
  }
  return candidates;
}

}  // namespace

void align(ParsedAnswer& answer, std::string_view input, const CodePointIndex& index) {
  std::vector<Candidate> candidates = collect_candidates(answer.mentions, input, index);
  std::set<Place> taken;
  const auto take = [&](const Candidate& candidate) {
    Mention& mention = answer.mentions[candidate.mention];
    mention.repaired = Entity{candidate.place.first, candidate.place.second, mention.label};
    taken.insert(candidate.place);
  };
  for (const std::ptrdiff_t i : best_chain(candidates, index.size())) take(candidates[static_cast<std::size_t>(i)]);

  for (std::size_t begin = 0, end = 0; begin < candidates.size(); begin = end) {
    const std::size_t mention = candidates[begin].mention;
    while (end < candidates.size() && candidates[end].mention == mention) ++end;
    if (answer.mentions[mention].repaired) continue;
    const auto rank = [&](const Candidate& c) {
      return std::tuple(taken.contains(c.place), c.distance, c.place.first);
    };
    take(*std::min_element(candidates.begin() + static_cast<std::ptrdiff_t>(begin),
                           candidates.begin() + static_cast<std::ptrdiff_t>(end),
                           [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); }));
  }
  for (const Mention& mention : answer.mentions) {
    if (!mention.repaired) ++answer.faults[static_cast<std::size_t>(AnswerFault::not_in_text)];
  }
}

}  // namespace entune
