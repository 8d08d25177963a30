#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainer/loop/rank_record.h"

namespace entune {

/// What a rank's watchdog knows of a rank, itself among them.
struct RankSight {
  std::optional<RankRecord> record;  ///< none: it has left none, or it cannot be read
  double silent_seconds = 0.0;       ///< since its process last showed that it runs, as far as was seen
  double still_seconds = 0.0;        ///< since its work last went on, as far as was seen
};

/// Who holds a run up.
struct Diagnosis {
  enum class Kind {
    at_work,   ///< `ranks` are outside collectives and run: for their own limits to judge
    stuck,     ///< `ranks` have stopped, or are nowhere
    together,  ///< nobody is behind: `ranks` are all inside one collective that does not end
  } kind = Kind::together;
  std::vector<int> ranks;
  std::string text;  ///< names them and says where they are
};

/// As rank `self` sees it, which waits in `waits_in`, or is outside collectives. Of what a rank waits for, those are to
/// blame that have begun the fewest calls on the group; if they wait themselves, whom they wait for. A rank that has
/// been silent for `silence_seconds` is stopped, or its process or machine is gone, and to blame before all others.
Diagnosis diagnose(const std::vector<RankSight>& ranks, int self, std::optional<WatchedGroup> waits_in,
                   double silence_seconds);

/// "forward of step 12, inside all_reduce 57 of the data axis"
std::string place_of(const RankRecord& record);

}  // namespace entune
