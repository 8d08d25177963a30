#include <ATen/ATen.h>

#include <algorithm>

#include "trainer/kernels/attention_merge.h"
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

at::Tensor as_batch(const at::Tensor& x, std::int64_t begin, std::int64_t length) {
  return x.narrow(0, begin, length).unsqueeze(0);
}

}  // namespace

void PackedLayout::prepare_for(at::Device device) {
  if (!device.is_cuda()) return;
  std::vector<std::int64_t> offsets = {0};
  for (const Segment& s : segments_of(*this)) offsets.push_back(s.begin + s.length);
  segment_offsets = at::tensor(offsets, at::kLong).to(at::TensorOptions(device).dtype(at::kInt));
}

bool flash_attention_fits(const at::Tensor& q, const PackedLayout& layout) {
  return q.is_cuda() && (q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kHalf) && q.size(2) % 8 == 0 &&
         q.size(2) <= 256 && !layout.window_matters();
}

PackedResult attend_flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const PackedLayout& layout) {
  TORCH_CHECK(layout.segment_offsets.defined(), "packed attention: expected a layout that was prepared for ",
              q.device());
  const std::int64_t longest = longest_segment(layout);
  auto [out, lse, random_state, unused, mask] =
      at::_flash_attention_forward(q, own_rows(k, layout), own_rows(v, layout), layout.segment_offsets,
                                   layout.segment_offsets, longest, longest, 0.0, /*is_causal=*/true, false);
  PackedResult result{out, lse.t(), random_state};  // the log-sum-exp comes as [H, T]
  for (const PrefixReaders& r : prefix_readers(layout)) {
    const auto prefix =
        at::_flash_attention_forward(as_batch(q, r.begin, r.length), as_batch(k, 0, r.seen), as_batch(v, 0, r.seen),
                                     std::nullopt, std::nullopt, r.length, r.seen, 0.0, /*is_causal=*/false, false);
    at::Tensor own_out = result.out.narrow(0, r.begin, r.length), own_lse = result.lse.narrow(0, r.begin, r.length);
    merge_attention_(own_out, own_lse, std::get<0>(prefix)[0], std::get<1>(prefix)[0].t());
  }
  return result;
}

PackedGradients attend_flash_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                      const at::Tensor& v, const PackedResult& attended, const PackedLayout& layout) {
  const std::int64_t longest = longest_segment(layout);
  const at::Tensor unused = at::empty({0}, q.options()), d_out = grad.contiguous();
  auto [dq, own_dk, own_dv] =
      at::_flash_attention_backward(d_out, q, own_rows(k, layout), own_rows(v, layout), attended.out,
                                    attended.lse.t().contiguous(), layout.segment_offsets, layout.segment_offsets,
                                    longest, longest, 0.0, /*is_causal=*/true, attended.random_state, unused);
  PackedGradients g{dq, in_place_of_own_rows(own_dk, layout), in_place_of_own_rows(own_dv, layout)};
  for (const PrefixReaders& r : prefix_readers(layout)) {
    const at::Tensor lse = attended.lse.narrow(0, r.begin, r.length).t().contiguous().unsqueeze(0);
    auto [prefix_dq, dk, dv] = at::_flash_attention_backward(
        as_batch(d_out, r.begin, r.length), as_batch(q, r.begin, r.length), as_batch(k, 0, r.seen),
        as_batch(v, 0, r.seen), as_batch(attended.out, r.begin, r.length), lse, at::Tensor(), at::Tensor(), r.length,
        r.seen, 0.0, /*is_causal=*/false, attended.random_state, unused);
    g.q.narrow(0, r.begin, r.length).add_(prefix_dq[0]);
    g.k.narrow(0, 0, r.seen).add_(dk[0]);
    g.v.narrow(0, 0, r.seen).add_(dv[0]);
  }
  return g;
}

}  // namespace entune
