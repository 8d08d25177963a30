#include <ATen/ATen.h>

#include <algorithm>

#include "trainer/kernels/attention_merge.h"
#include "trainer/kernels/fused_attention.h"
#include "trainer/kernels/packed_segments.h"

namespace entune {
namespace {

std::int64_t longest_segment(const PackedLayout& layout) {
  std::int64_t longest = 0;
  for (const Segment& s : segments_of(layout)) longest = std::max(longest, s.length);
  return longest;
}

/// The keys (or values) of the queries' own rows: the prefix's rows that stand elsewhere left out.
at::Tensor own_rows(const at::Tensor& x, const PackedLayout& layout) {
  if (layout.keys_ahead() == 0) return x;
  const std::int64_t suffix = layout.leaf_offsets.back() - layout.prefix_rows;
  return at::cat({x.narrow(0, layout.prefix_begin, layout.prefix_rows), x.narrow(0, layout.prefix_tokens, suffix)});
}

/// The opposite, for gradients: own rows back to their places, zero elsewhere.
at::Tensor in_place_of_own_rows(const at::Tensor& own, const PackedLayout& layout) {
  if (layout.keys_ahead() == 0) return own;
  const std::int64_t suffix = layout.leaf_offsets.back() - layout.prefix_rows;
  at::Tensor all = at::zeros({own.size(0) + layout.keys_ahead(), own.size(1), own.size(2)}, own.options());
  all.narrow(0, layout.prefix_begin, layout.prefix_rows).copy_(own.narrow(0, 0, layout.prefix_rows));
  all.narrow(0, layout.prefix_tokens, suffix).copy_(own.narrow(0, layout.prefix_rows, suffix));
  return all;
}

/// Rows of [T, H, D] as the one sample of a batch, [1, H, rows, D]: a view.
at::Tensor as_batch(const at::Tensor& x, std::int64_t begin, std::int64_t length) {
  return x.narrow(0, begin, length).unsqueeze(0).transpose(1, 2);
}

/// How many segments there are, if all are of one length and keys stand where their queries do; otherwise 0.
std::int64_t num_equal_segments(const PackedLayout& layout) {
  const std::vector<Segment> segments = segments_of(layout);
  const bool are_equal = std::ranges::all_of(segments, [&](const Segment& s) { return s.length == segments[0].length; });
  return are_equal && layout.keys_ahead() == 0 ? static_cast<std::int64_t>(segments.size()) : 0;
}

/// Rows [T, H, ...] of so many equal segments as a batch, [segments, H, rows, ...]: a view.
at::Tensor as_segments(const at::Tensor& x, std::int64_t num_segments) {
  return x.unflatten(0, {num_segments, x.size(0) / num_segments}).transpose(1, 2);
}
at::Tensor from_segments(const at::Tensor& x) { return x.transpose(1, 2).flatten(0, 1); }

PackedResult attend_segments(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const PackedLayout& layout) {
  if (const std::int64_t equal = num_equal_segments(layout); equal > 0) {
    const auto [out, lse] =
        fused_attention(as_segments(q, equal), as_segments(k, equal), as_segments(v, equal), /*is_causal=*/true);
    return {from_segments(out), from_segments(lse)};
  }
  TORCH_CHECK(layout.segment_offsets.defined(), "packed attention: expected a layout that was prepared for ",
              q.device());
  const std::int64_t longest = longest_segment(layout);
  const auto [out, lse, random_state, unused, mask] =
      at::_flash_attention_forward(q, own_rows(k, layout), own_rows(v, layout), layout.segment_offsets,
                                   layout.segment_offsets, longest, longest, 0.0, /*is_causal=*/true, false);
  return {out, lse.t(), random_state};  // the log-sum-exp comes as [H, T]
}

PackedGradients attend_segments_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                         const at::Tensor& v, const PackedResult& attended,
                                         const PackedLayout& layout) {
  if (const std::int64_t equal = num_equal_segments(layout); equal > 0) {
    const DenseAttention result{as_segments(attended.out, equal), as_segments(attended.lse, equal)};
    const auto [dq, dk, dv] =
        fused_attention_backward(as_segments(grad, equal), as_segments(q, equal), as_segments(k, equal),
                                 as_segments(v, equal), result, /*is_causal=*/true);
    return {from_segments(dq), from_segments(dk), from_segments(dv)};
  }
  const std::int64_t longest = longest_segment(layout);
  const auto [dq, dk, dv] = at::_flash_attention_backward(
      grad, q, own_rows(k, layout), own_rows(v, layout), attended.out, attended.lse.t().contiguous(),
      layout.segment_offsets, layout.segment_offsets, longest, longest, 0.0, /*is_causal=*/true, attended.random_state,
      at::empty({0}, q.options()));
  return {dq, in_place_of_own_rows(dk, layout), in_place_of_own_rows(dv, layout)};
}

}  // namespace

void PackedLayout::prepare_for(at::Device device) {
  if (device.is_cpu()) return;
  std::vector<std::int64_t> offsets = {0};
  for (const Segment& s : segments_of(*this)) offsets.push_back(s.begin + s.length);
  segment_offsets = at::tensor(offsets, at::kLong).to(at::TensorOptions(device).dtype(at::kInt));
}

bool flash_attention_fits(const at::Tensor& q, const PackedLayout& layout) {
  return fused_attention_takes(q, q.size(2)) && !layout.window_matters();
}

PackedResult attend_flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const PackedLayout& layout) {
  PackedResult result = attend_segments(q, k, v, layout);
  for (const PrefixReaders& r : prefix_readers(layout)) {
    const auto [out, lse] =
        fused_attention(as_batch(q, r.begin, r.length), as_batch(k, 0, r.seen), as_batch(v, 0, r.seen), false);
    at::Tensor own_out = result.out.narrow(0, r.begin, r.length), own_lse = result.lse.narrow(0, r.begin, r.length);
    merge_attention_(own_out, own_lse, out[0].transpose(0, 1), lse[0].t());
  }
  return result;
}

PackedGradients attend_flash_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                      const at::Tensor& v, const PackedResult& attended, const PackedLayout& layout) {
  const at::Tensor d_out = grad.contiguous();
  PackedGradients g = attend_segments_backward(d_out, q, k, v, attended, layout);
  for (const PrefixReaders& r : prefix_readers(layout)) {
    const DenseAttention result{as_batch(attended.out, r.begin, r.length),
                                attended.lse.narrow(0, r.begin, r.length).t().unsqueeze(0)};
    const auto [dq, dk, dv] =
        fused_attention_backward(as_batch(d_out, r.begin, r.length), as_batch(q, r.begin, r.length),
                                 as_batch(k, 0, r.seen), as_batch(v, 0, r.seen), result, false);
    g.q.narrow(0, r.begin, r.length).add_(dq[0].transpose(0, 1));
    g.k.narrow(0, 0, r.seen).add_(dk[0].transpose(0, 1));
    g.v.narrow(0, 0, r.seen).add_(dv[0].transpose(0, 1));
  }
  return g;
}

}  // namespace entune
