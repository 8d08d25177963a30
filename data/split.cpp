#include "data/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "data/input_error.h"
#include "data/random.h"

namespace entune {
namespace {

using Group = std::vector<std::size_t>;  // indices of examples, ascending
using Sides = std::array<Group, 3>;
constexpr std::array<const char*, 3> kSideNames{"train", "validation", "test"};

class DisjointSets {
 public:
  explicit DisjointSets(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }

  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) { parent_[find(a)] = find(b); }

 private:
  std::vector<std::size_t> parent_;
};

/// Examples that share a group or a text, directly or through others; in order of their first example.
std::vector<Group> groups_of(const std::vector<Example>& examples) {
  DisjointSets sets(examples.size());
  std::unordered_map<std::string_view, std::size_t> by_group;
  std::unordered_map<std::string_view, std::size_t> by_text;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (!examples[i].group.empty()) sets.join(i, by_group.emplace(examples[i].group, i).first->second);
    sets.join(i, by_text.emplace(examples[i].text, i).first->second);
  }
  std::vector<Group> groups;
  std::unordered_map<std::size_t, std::size_t> place;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto [found, inserted] = place.emplace(sets.find(i), groups.size());
    if (inserted) groups.emplace_back();
    groups[found->second].push_back(i);
  }
  return groups;
}

/// Groups not yet dealt, and the ways to take from them.
class Dealer {
 public:
  explicit Dealer(const std::vector<Group>& groups) : groups_(groups), taken_(groups.size(), false) {}

  /// Takes whole groups, first come, as long as they fit into `room`. Returns the room that is left.
  std::int64_t take_fitting(std::int64_t room, Group& side) {
    for (std::size_t g = 0; g < groups_.size() && room > 0; ++g) {
      if (taken_[g] || size(g) > room) continue;
      room -= size(g);
      take(g, size(g), side);
    }
    return room;
  }

  /// Fills `room` with a part of the smallest group that is large enough (after take_fitting all are). The rest is
  /// lost.
  bool take_part(std::int64_t room, Group& side) {
    if (room == 0) return true;
    std::size_t best = groups_.size();
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (!taken_[g] && size(g) >= room && (best == groups_.size() || size(g) < size(best))) best = g;
    }
    if (best == groups_.size()) return false;
    take(best, room, side);
    return true;
  }

  /// Takes the smallest group if that brings a side which misses `room` nearer to its aim.
  void take_nearest(std::int64_t room, Group& side) {
    std::size_t best = groups_.size();
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (!taken_[g] && (best == groups_.size() || size(g) < size(best))) best = g;
    }
    if (best != groups_.size() && size(best) - room < room) take(best, size(best), side);
  }

  void take_all(Group& side) {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (!taken_[g]) take(g, size(g), side);
    }
  }

 private:
  std::int64_t size(std::size_t g) const { return static_cast<std::int64_t>(groups_[g].size()); }

  void take(std::size_t g, std::int64_t count, Group& side) {
    taken_[g] = true;
    side.insert(side.end(), groups_[g].begin(), groups_[g].begin() + count);
  }

  const std::vector<Group>& groups_;
  std::vector<bool> taken_;
};

using Kind = SplitSize::Kind;
using Sizes = std::array<SplitSize, 3>;

/// Wanted examples of each side; 0 for the kinds `none` and `rest`.
std::array<std::int64_t, 3> wanted_of(const Sizes& sizes, std::int64_t num_examples) {
  std::array<std::int64_t, 3> wanted{};
  for (std::size_t s = 0; s < 3; ++s) {
    if (sizes[s].kind == Kind::count) wanted[s] = sizes[s].count;
    if (sizes[s].kind == Kind::fraction)
      wanted[s] = std::llround(sizes[s].fraction * static_cast<double>(num_examples));
  }
  return wanted;
}

/// Deals the groups in the order given. Exact counts come first, the largest first: it absorbs large groups that fit
/// nowhere else. Nullopt if a side cannot be filled, or one that was asked for stays empty.
std::optional<Sides> deal(const std::vector<Group>& groups, const Sizes& sizes,
                          const std::array<std::int64_t, 3>& wanted) {
  std::array<std::size_t, 3> order{0, 1, 2};
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(sizes[a].kind != Kind::count, -wanted[a]) < std::pair(sizes[b].kind != Kind::count, -wanted[b]);
  });
  Sides sides;
  Dealer dealer(groups);
  std::array<std::int64_t, 3> room{};
  for (const std::size_t s : order) room[s] = dealer.take_fitting(wanted[s], sides[s]);
  for (const std::size_t s : order) {
    if (sizes[s].kind == Kind::count && !dealer.take_part(room[s], sides[s])) return std::nullopt;
    if (sizes[s].kind == Kind::fraction) dealer.take_nearest(room[s], sides[s]);
  }
  for (const std::size_t s : order) {
    if (sizes[s].kind == Kind::rest) dealer.take_all(sides[s]);
    const bool may_be_empty = sizes[s].kind == Kind::none || (sizes[s].kind == Kind::count && wanted[s] == 0);
    if (sides[s].empty() && !may_be_empty) return std::nullopt;
    std::sort(sides[s].begin(), sides[s].end());
  }
  return sides;
}

/// Tries the seed's own order, then one with the large groups first, which fits where groups are few and large.
std::optional<Sides> deal_any(std::vector<Group> groups, const Sizes& sizes,
                              const std::array<std::int64_t, 3>& wanted) {
  if (auto sides = deal(groups, sizes, wanted)) return sides;
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.size() > b.size(); });
  return deal(groups, sizes, wanted);
}

/// Keeps `count` examples of a side, taking one of each of its groups in turns: as many groups as can be are there.
Group thinned(const Group& side, const std::vector<std::size_t>& group_of, std::int64_t count) {
  std::unordered_map<std::size_t, std::int64_t> met;
  std::vector<std::pair<std::int64_t, std::size_t>> by_turn;  // how many of its group came before, example
  for (const std::size_t i : side) by_turn.emplace_back(met[group_of[i]]++, i);
  std::sort(by_turn.begin(), by_turn.end());
  Group kept;
  for (std::int64_t n = 0; n < count; ++n) kept.push_back(by_turn[static_cast<std::size_t>(n)].second);
  std::sort(kept.begin(), kept.end());
  return kept;
}

/// Where all sides are counts and there are more examples than they ask for: deals nearly all of them in the
/// proportions asked for, then thins every side to its count.
std::optional<Sides> deal_spread(const std::vector<Group>& groups, const Sizes& sizes,
                                 const std::array<std::int64_t, 3>& wanted, std::int64_t num_examples) {
  const auto counted = [](const SplitSize& size) { return size.kind == Kind::count || size.kind == Kind::none; };
  if (!std::all_of(sizes.begin(), sizes.end(), counted)) return deal_any(groups, sizes, wanted);
  const double spare = static_cast<double>(num_examples) / static_cast<double>(wanted[0] + wanted[1] + wanted[2]) - 1.0;
  for (int percent = 95; percent > 0; percent -= 5) {
    std::array<std::int64_t, 3> more{};
    for (std::size_t s = 0; s < 3; ++s)
      more[s] = wanted[s] + static_cast<std::int64_t>(static_cast<double>(wanted[s]) * spare * percent / 100.0);
    std::optional<Sides> sides = deal_any(groups, sizes, more);
    if (!sides) continue;
    std::vector<std::size_t> group_of(static_cast<std::size_t>(num_examples));
    for (std::size_t g = 0; g < groups.size(); ++g) {
      for (const std::size_t i : groups[g]) group_of[i] = g;
    }
    for (std::size_t s = 0; s < 3; ++s) (*sides)[s] = thinned((*sides)[s], group_of, wanted[s]);
    return sides;
  }
  return deal_any(groups, sizes, wanted);
}

void check(const Sizes& sizes) {
  int num_rest = 0;
  double fractions = 0.0;
  for (std::size_t s = 0; s < 3; ++s) {
    if (sizes[s].kind == Kind::count && sizes[s].count < 0) {
      throw InputError(
          fmt::format("data.split.{}: expected a count of at least 0, found {}", kSideNames[s], sizes[s].count));
    }
    if (sizes[s].kind == Kind::fraction) {
      if (!(sizes[s].fraction > 0.0 && sizes[s].fraction < 1.0)) {
        throw InputError(fmt::format("data.split.{}: expected a fraction between 0 and 1, found {}", kSideNames[s],
                                     sizes[s].fraction));
      }
      fractions += sizes[s].fraction;
    }
    num_rest += sizes[s].kind == Kind::rest ? 1 : 0;
  }
  if (fractions > 1.0 + 1e-9) {
    throw InputError(fmt::format("data.split: expected fractions that sum to at most 1, found {}", fractions));
  }
  if (num_rest > 1) throw InputError("data.split: expected at most one side that takes the rest, found several");
}

/// The message for sizes that cannot be dealt, with the largest ones of the same proportions that can.
std::string too_much(const std::vector<Group>& groups, std::int64_t num_examples, const Sizes& sizes,
                     const std::array<std::int64_t, 3>& wanted) {
  const std::string asked = fmt::format(
      "data.split: expected at most what there is, found train {}, validation {}, test {} asked of {} examples "
      "in {} groups (a group stays on one side)",
      wanted[0], wanted[1], wanted[2], num_examples, groups.size());
  const double sum = static_cast<double>(wanted[0]) + static_cast<double>(wanted[1]) + static_cast<double>(wanted[2]);
  const double fit = std::min(1.0, static_cast<double>(num_examples) / sum);
  for (int percent = 100; percent > 0; --percent) {
    std::array<std::int64_t, 3> less{};
    for (std::size_t s = 0; s < 3; ++s) {
      const double scaled = static_cast<double>(wanted[s]) * fit * percent / 100.0;
      less[s] = sizes[s].kind == Kind::count ? static_cast<std::int64_t>(scaled) : wanted[s];
    }
    if (deal_any(groups, sizes, less)) {
      return fmt::format("{}; train {}, validation {}, test {} would do", asked, less[0], less[1], less[2]);
    }
  }
  return asked + "; ask for fewer sides or bring more groups";
}

}  // namespace

CorpusSplit split_corpus(const std::vector<Example>& examples, const SplitOptions& options) {
  const Sizes sizes{options.train, options.validation, options.test};
  check(sizes);
  const auto num_examples = static_cast<std::int64_t>(examples.size());
  const auto wanted = wanted_of(sizes, num_examples);
  std::vector<Group> groups = groups_of(examples);
  Random(options.seed).shuffle(groups);
  std::optional<Sides> sides;
  // The sum as doubles: counts near the largest integer must not overflow.
  const double sum = static_cast<double>(wanted[0]) + static_cast<double>(wanted[1]) + static_cast<double>(wanted[2]);
  if (sum <= static_cast<double>(num_examples) + 2.0) sides = deal_spread(groups, sizes, wanted, num_examples);
  if (!sides) throw InputError(too_much(groups, num_examples, sizes, wanted));

  const auto collect = [&](const Group& side) {
    std::vector<Example> chosen;
    for (const std::size_t i : side) chosen.push_back(examples[i]);
    return chosen;
  };
  return {collect((*sides)[0]), collect((*sides)[1]), collect((*sides)[2])};
}

}  // namespace entune
