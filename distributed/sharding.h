#pragma once

#include <algorithm>
#include <cstdint>

namespace entune {

/// Which part of a parameter's dimension `dim` a rank of the tensor axis owns: [begin, end) of `full` rows or columns.
/// dim -1: all of it, on every rank. `full` need not divide: every rank holds part(full) rows, the first ones own all
/// of theirs, one may own fewer and those after it none (padding beyond `full` is zero and never written out).
struct Shard {
  std::int64_t dim = -1;
  std::int64_t rank = 0;
  std::int64_t size = 1;

  /// Rows held, padding included.
  std::int64_t part(std::int64_t full) const { return dim < 0 ? full : (full + size - 1) / size; }
  std::int64_t begin(std::int64_t full) const { return dim < 0 ? 0 : std::min(rank * part(full), full); }
  std::int64_t end(std::int64_t full) const { return dim < 0 ? full : std::min((rank + 1) * part(full), full); }
};

}  // namespace entune
