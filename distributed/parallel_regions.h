#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "distributed/communicator.h"

namespace entune {

// Forward/backward dual pairs at the borders of a tensor-parallel region (Megatron-LM,
// core/tensor_parallel/mappings.py). Each is differentiable once, and free on a group of one. The group must outlive
// the graph.

/// Forward: identity. Backward: all-reduce (sum). Into a region: x is replicated, each rank's use of it gives a partial
/// gradient.
at::Tensor copy_to_region(const at::Tensor& x, Communicator& group);
/// Forward: all-reduce (sum). Backward: identity. Out of a region: partial sums become a replicated tensor.
at::Tensor reduce_from_region(const at::Tensor& x, Communicator& group);
/// Forward: all-gather along `dim`. Backward: this rank's slice.
at::Tensor gather_from_region(const at::Tensor& x, std::int64_t dim, Communicator& group);
/// Forward: all-gather along the first dimension. Backward: reduce-scatter (sum), for ranks that use the whole each in
/// its own way. With `num_rows` the whole has these alone: what the parts hold beyond them is padding, whose gradient
/// is zero.
at::Tensor gather_to_region(const at::Tensor& x, Communicator& group, std::optional<std::int64_t> num_rows = {});
/// Forward: reduce-scatter (sum) along the first dimension. Backward: all-gather. Out of a region: partial sums become
/// a tensor that is cut by rows. The parts are equally long; where the rows do not divide, the last ones end in zero
/// rows.
at::Tensor reduce_scatter_from_region(const at::Tensor& x, Communicator& group);
/// Forward: this rank's slice along `dim`. Backward: all-gather.
at::Tensor scatter_to_region(const at::Tensor& x, std::int64_t dim, Communicator& group);

}  // namespace entune
