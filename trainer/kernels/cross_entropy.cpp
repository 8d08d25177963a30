#include "trainer/kernels/cross_entropy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "trainer/kernels/cuda_kernels.h"
#include "trainer/kernels/meta_kernels.h"

namespace entune {
namespace {

/// Where the targets stand in the part, and 1 for those that do, 0 (at column 0) for others.
struct OneHot {
  OneHot(const at::Tensor& targets, std::int64_t first_id, const at::Tensor& part)
      : column(targets.sub(first_id)), present(column.ge(0).logical_and_(column.lt(part.size(1)))) {
    column.mul_(present);
  }
  at::Tensor column, present;  ///< [n]
};

}  // namespace

// Without a kernel of our own the exponentials are taken once: the softmax over the part replaces the logits (in their
// memory, on a CPU, if they are float32), and only its rows are scaled afterwards.
LogitRows read_logits(at::Tensor logits, const at::Tensor& targets, std::int64_t first_id) {
  if (has_cuda_kernels(logits)) {
    auto [lse, target_logit] = read_logits_cuda(logits, targets, first_id);
    return {logits, lse, target_logit};
  }
  if (stands_for_gpu(logits)) {
    auto [lse, target_logit] = read_logits_meta(logits);
    return {logits, lse, target_logit};
  }
  at::Tensor p = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  const std::int64_t num_rows = p.size(0);
  if (p.size(1) == 0) {
    return {p, at::full({num_rows}, -std::numeric_limits<double>::infinity(), p.options()),
            at::zeros({num_rows}, p.options())};
  }
  const OneHot target(targets, first_id, p);
  const at::Tensor target_logit = p.gather(1, target.column.unsqueeze(1)).squeeze(1).mul_(target.present);
  const at::Tensor largest = p.amax(-1);
  if (p.is_cpu() || p.is_meta()) {
    at::_softmax_out(p, p, -1, /*half_to_float=*/false);
  } else {
    p = at::_softmax(p, -1, /*half_to_float=*/false);  // GPU kernels promise nothing for a result over its input
  }
  // The largest probability is exp(0) / sum: it gives the sum without another exponential.
  return {p, largest.sub(p.amax(-1).log_()), target_logit};
}

at::Tensor logit_gradients(LogitRows rows, const at::Tensor& targets, std::int64_t first_id, const at::Tensor& lse,
                           const at::Tensor& weights, at::ScalarType type) {
  at::Tensor& values = rows.values;
  if (has_cuda_kernels(values)) {
    logit_gradients_cuda_(values, targets, first_id, lse, weights);
    return values.to(type);
  }
  if (stands_for_gpu(values)) touch_meta_(values);
  if (values.size(1) == 0 || stands_for_gpu(values)) return values.to(type);
  const OneHot target(targets, first_id, values);
  const at::Tensor factor = rows.lse.sub(lse).exp_().mul_(weights);
  const bool is_one = values.is_meta() ? lse.is_same(rows.lse) : !factor.ne(1).any().item<bool>();
  if (!is_one) values.mul_(factor.unsqueeze(1));  // one part, every row of weight 1: no pass
  values.scatter_add_(1, target.column.unsqueeze(1), weights.mul(target.present).neg_().unsqueeze(1));
  return values.to(type);
}

std::int64_t cross_entropy_chunk_rows(std::int64_t vocabulary_part) {
  constexpr std::int64_t kLogits = (std::int64_t{64} << 20) / 4;
  return std::max<std::int64_t>(16, kLogits / std::max<std::int64_t>(1, vocabulary_part));
}

}  // namespace entune
