#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "distributed/communicator.h"

namespace entune {

/// Sums gradients over one axis, in float32, in buckets: the parameters' gradients are laid end to end in buckets of
/// about `bucket_bytes`, one all-reduce each. A parameter without a gradient (a rank without samples) counts as zero
/// and has one afterwards.
class GradientReducer {
 public:
  GradientReducer(std::vector<at::Tensor> parameters, Communicator& group, std::int64_t bucket_bytes = 25 << 20);

  /// Every parameter's grad() becomes the sum over the group. Does nothing on a group of one but fill in missing
  /// gradients.
  void reduce();

 private:
  std::vector<at::Tensor> parameters_;
  Communicator& group_;
  std::vector<std::vector<std::size_t>> buckets_;
};

}  // namespace entune
