#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "distributed/communicator.h"
#include "distributed/sharding.h"

namespace entune {

/// How a tensor-parallel group holds the rows [T, C] of the residual stream between its layers: every rank all of them,
/// or each rank its part (sequence parallelism: Korthikanti et al. 2022), which saves the memory of what norms and
/// residual connections keep. Parts are equally long; where T does not divide, the last ones end in zero rows, which
/// never enter a layer. The group must outlive the graph.
struct ResidualRows {
  Communicator& group;
  std::optional<std::int64_t> cut_rows = {};  ///< T where the rows are cut; absent: whole on every rank

  /// Into parallel layers: the stream's rows -> all T rows on every rank, whose gradients are partial sums.
  at::Tensor enter(const at::Tensor& x) const;
  /// Out of them: partial sums of all rows -> the stream's rows.
  at::Tensor leave(const at::Tensor& partial_sums) const;
  /// These rows of the stream (int64 indices), held as with_rows(their number) says.
  at::Tensor index_select(const at::Tensor& x, const at::Tensor& rows) const;
  /// How a stream of `num_rows` rows is held.
  ResidualRows with_rows(std::int64_t num_rows) const;
};

/// Rows `ids` [N] of a table of `full` rows, of which this rank has `part`: zero where the row is another rank's, so
/// that the sum over ranks is the rows. Differentiable in `part`.
at::Tensor rows_of_part(const at::Tensor& part, const at::Tensor& ids, std::int64_t full, const Shard& shard);

}  // namespace entune
