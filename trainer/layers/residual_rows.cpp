#include "trainer/layers/residual_rows.h"

#include <ATen/ATen.h>

#include "distributed/parallel_regions.h"

namespace entune {

at::Tensor ResidualRows::enter(const at::Tensor& x) const {
  return cut_rows ? gather_to_region(x, group, *cut_rows) : copy_to_region(x, group);
}

at::Tensor ResidualRows::leave(const at::Tensor& partial_sums) const {
  return cut_rows ? reduce_scatter_from_region(partial_sums, group) : reduce_from_region(partial_sums, group);
}

at::Tensor ResidualRows::index_select(const at::Tensor& x, const at::Tensor& rows) const {
  if (!cut_rows) return x.index_select(0, rows);
  return leave(rows_of_part(x, rows, *cut_rows, Shard{0, group.rank(), group.size()}));
}

ResidualRows ResidualRows::with_rows(std::int64_t num_rows) const {
  return {group, cut_rows ? std::optional(num_rows) : std::nullopt};
}

at::Tensor rows_of_part(const at::Tensor& part, const at::Tensor& ids, std::int64_t full, const Shard& shard) {
  const std::int64_t begin = shard.begin(full), end = shard.end(full);
  const at::Tensor absent = ids.lt(begin).logical_or_(ids.ge(end));
  const at::Tensor found = at::embedding(part, ids.sub(begin).masked_fill_(absent, 0));
  return found.masked_fill(absent.unsqueeze(1), 0);
}

}  // namespace entune
