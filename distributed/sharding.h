#pragma once

#include <cstdint>

namespace entune {

/// Which part of a parameter's dimension `dim` a rank of the tensor axis owns: [begin, end) of `full` rows or columns. dim -1: all of it,
/// on every rank. `full` need not divide: the first ranks own padded_full/size each and the last one what is left (padding beyond `full`
/// is zero and never written out).
struct Shard {
  std::int64_t dim = -1;
  std::int64_t rank = 0;
  std::int64_t size = 1;

  std::int64_t part(std::int64_t full) const { return dim < 0 ? full : (full + size - 1) / size; }  ///< rows held, padding included
  std::int64_t begin(std::int64_t full) const { return dim < 0 ? 0 : std::int64_t{rank} * part(full) < full ? rank * part(full) : full; }
  std::int64_t end(std::int64_t full) const { return dim < 0 ? full : begin(full) + part(full) < full ? begin(full) + part(full) : full; }
};

}  // namespace entune
