#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "trainer/kernels/packed_attention.h"

namespace entune {
namespace {

/// True where query row i sees key row j.
at::Tensor visible(const PackedLayout& layout) {
  const std::int64_t prefix = layout.prefix_tokens, total = layout.leaf_offsets.back(), ahead = layout.keys_ahead();
  at::Tensor mask = at::zeros({total, total + ahead}, at::kBool);
  auto see = mask.accessor<bool, 2>();
  const auto within = [&](std::int64_t distance) {
    return !layout.sliding_window || distance < *layout.sliding_window;
  };
  for (std::int64_t i = 0; i < layout.prefix_rows; ++i) {
    const std::int64_t position = layout.prefix_begin + i;
    for (std::int64_t j = 0; j <= position; ++j) see[i][j] = within(position - j);
  }
  for (std::size_t b = 0; b + 1 < layout.leaf_offsets.size(); ++b) {
    const std::int64_t begin = layout.leaf_offsets[b];
    for (std::int64_t i = begin; i < layout.leaf_offsets[b + 1]; ++i) {
      const std::int64_t position = prefix + i - begin;
      for (std::int64_t j = 0; j < prefix; ++j) see[i][j] = within(position - j);
      for (std::int64_t j = begin; j <= i; ++j) see[i][ahead + j] = within(i - j);
    }
  }
  return mask;
}

}  // namespace

at::Tensor packed_attention_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                      const PackedLayout& layout) {
  const std::int64_t groups = q.size(1) / k.size(1);
  const at::Tensor keys = k.repeat_interleave(groups, 1), values = v.repeat_interleave(groups, 1);
  at::Tensor scores = at::einsum("ihd,jhd->hij", {q, keys}) / std::sqrt(static_cast<double>(q.size(2)));
  scores = scores.masked_fill(visible(layout).logical_not(), -std::numeric_limits<double>::infinity());
  return at::einsum("hij,jhd->ihd", {at::softmax(scores, -1), values});
}

}  // namespace entune
