#include "trainer/kernels/cross_entropy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace entune {

SoftmaxPart softmax_part(const at::Tensor& logits) {
  at::Tensor p = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  if (p.size(1) == 0) return {p, at::full({p.size(0)}, -std::numeric_limits<double>::infinity(), p.options())};
  const at::Tensor largest = p.amax(-1);
  if (p.is_cpu()) {
    at::_softmax_out(p, p, -1, /*half_to_float=*/false);
  } else {
    p = at::_softmax(p, -1, /*half_to_float=*/false);  // GPU kernels promise nothing for a result over its input
  }
  // The largest probability is exp(0) / sum: it gives the sum without another exponential.
  return {p, largest.sub(p.amax(-1).log_())};
}

std::int64_t cross_entropy_chunk_rows(std::int64_t vocabulary_part) {
  constexpr std::int64_t kLogits = (std::int64_t{64} << 20) / 4;
  return std::max<std::int64_t>(16, kLogits / std::max<std::int64_t>(1, vocabulary_part));
}

}  // namespace entune
