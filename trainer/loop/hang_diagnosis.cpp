#include "trainer/loop/hang_diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace entune {
namespace {

std::string name_of_rank(int rank, const RankSight& sight) {
  if (!sight.record) return fmt::format("rank {}", rank);
  return fmt::format("rank {} ({}, process {})", rank, sight.record->machine.data(), sight.record->process);
}

std::string describe_silent(int rank, const RankSight& sight) {
  if (!sight.record) {
    return fmt::format("rank {} has left no record: it has not begun, has ended, or its folder is not the others'", rank);
  }
  return fmt::format(
      "{} does not run: no sign of life for {:.0f} s (stopped, or its process or machine is gone); it was in {}",
      name_of_rank(rank, sight), sight.silent_seconds, place_of(*sight.record));
}

bool is_of_group(const RankSight& of, int rank, int other, WatchedGroup group) {
  const auto tensor = static_cast<int>(of.record->tensor_size);
  switch (group) {
    case WatchedGroup::world:
      return true;
    case WatchedGroup::data:
      return rank % tensor == other % tensor;
    case WatchedGroup::tensor:
      return rank / tensor == other / tensor;
  }
  return false;
}

/// The members of a rank's group with the fewest calls, if that is fewer than its own.
std::vector<int> behind(const std::vector<RankSight>& ranks, int rank, WatchedGroup group) {
  std::uint64_t fewest = ranks[rank].record->begun(group);
  std::vector<int> last;
  for (int other = 0; other < static_cast<int>(ranks.size()); ++other) {
    if (!ranks[other].record || !is_of_group(ranks[rank], rank, other, group)) continue;
    const std::uint64_t begun = ranks[other].record->begun(group);
    if (begun < fewest) last.clear();
    if (begun < fewest || (begun == fewest && !last.empty())) last.push_back(other);
    fewest = std::min(fewest, begun);
  }
  return last;
}

Diagnosis all_inside(const std::vector<RankSight>& ranks, int rank, WatchedGroup group) {
  Diagnosis diagnosis;
  std::set<WatchedCall> calls;
  for (int other = 0; other < static_cast<int>(ranks.size()); ++other) {
    if (!ranks[other].record || !is_of_group(ranks[rank], rank, other, group)) continue;
    diagnosis.ranks.push_back(other);
    if (ranks[other].record->is_inside(group)) calls.insert(ranks[other].record->newest().call);
  }
  diagnosis.text = fmt::format("all ranks of the group are in {}, and all run: the connection between them is stuck",
                               place_of(*ranks[rank].record));
  if (calls.size() > 1) {
    diagnosis.text = "the ranks of a group have met in different calls, a defect of the program:";
    for (const int other : diagnosis.ranks)
      diagnosis.text += fmt::format(" rank {} in {};", other, place_of(*ranks[other].record));
  }
  return diagnosis;
}

std::optional<WatchedGroup> waiting_group(const RankRecord& record) {
  if (record.inside == 0 || record.num_calls == 0) return std::nullopt;
  return record.newest().group;
}

}  // namespace

std::string place_of(const RankRecord& record) {
  std::string place = name_of(record.pulse.phase);
  const bool is_in_step = record.pulse.phase >= Phase::data && record.pulse.phase <= Phase::optimizer;
  if (record.pulse.step > 0) place += fmt::format("{} step {}", is_in_step ? " of" : " after", record.pulse.step);
  if (waiting_group(record)) {
    const RankRecord::Call& call = record.newest();
    place += fmt::format(", inside {} {} of the {}", name_of(call.call), call.number, name_of(call.group));
  }
  return place;
}

Diagnosis diagnose(const std::vector<RankSight>& ranks, int self, std::optional<WatchedGroup> waits_in,
                   double silence_seconds) {
  Diagnosis diagnosis{.kind = Diagnosis::Kind::stuck, .ranks = {}, .text = {}};
  // A rank that has left no record may have ended in peace: one that has left one, and is silent, comes before it.
  for (const bool has_record : {true, false}) {
    for (int rank = 0; rank < static_cast<int>(ranks.size()); ++rank) {
      const RankSight& sight = ranks[rank];
      if (rank == self || sight.silent_seconds < silence_seconds || sight.record.has_value() != has_record) continue;
      diagnosis.ranks.push_back(rank);
      diagnosis.text += (diagnosis.text.empty() ? "" : "; ") + describe_silent(rank, sight);
    }
    if (!diagnosis.ranks.empty()) return diagnosis;
  }

  int rank = self;
  std::optional<WatchedGroup> group = waits_in;
  std::set<int> seen;
  while (group && seen.insert(rank).second) {
    const std::vector<int> last = behind(ranks, rank, *group);
    if (last.empty()) return all_inside(ranks, rank, *group);
    rank = last.front();
    group = waiting_group(*ranks[rank].record);
  }
  if (group) return all_inside(ranks, rank, *group);  // they wait in a circle: a defect of the program
  diagnosis.kind = Diagnosis::Kind::at_work;
  diagnosis.ranks = {rank};
  diagnosis.text = fmt::format("{} runs, but its work has not gone on for {:.0f} s: it is in {}",
                               name_of_rank(rank, ranks[rank]), ranks[rank].still_seconds,
                               place_of(*ranks[rank].record));
  return diagnosis;
}

}  // namespace entune
