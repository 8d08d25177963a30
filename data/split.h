#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/entity.h"

namespace entune {

/// Size of one side: nothing, an exact count, a fraction of all examples in (0, 1), or whatever the others leave (one
/// side at most).
struct SplitSize {
  enum class Kind { none, count, fraction, rest };
  Kind kind = Kind::none;
  std::int64_t count = 0;
  double fraction = 0.0;
};

struct SplitOptions {
  SplitSize train{SplitSize::Kind::rest};
  SplitSize validation;
  SplitSize test;
  std::uint64_t seed = 1;
};

struct CorpusSplit {
  std::vector<Example> train;
  std::vector<Example> validation;
  std::vector<Example> test;
};

/// Deals whole groups to the sides: no Example::group and no verbatim text stands on two sides (examples that share a
/// text are joined into one group). Counts are exact, and spread over as many groups as
/// can be: where there are more examples than counts ask for, groups are dealt in the proportions of the counts, and
/// each side keeps its count by taking from its groups in turns; the others are left out of all sides. A fraction is an
/// aim: such a side takes whole groups only and ends within a group of it. Examples keep their order. Same seed, same
/// split, on every machine. Throws InputError if more is asked for than there is, with sizes that would do.
CorpusSplit split_corpus(const std::vector<Example>& examples, const SplitOptions& options);

}  // namespace entune
