#include "trainer/kernels/packed_attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

#include "trainer/kernels/attention_merge.h"
#include "trainer/kernels/context_value.h"
#include "trainer/kernels/dense_attention.h"
#include "trainer/kernels/packed_segments.h"

namespace entune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows of [T, H, D] as the operators want them: [1, H, rows, D], a view.
at::Tensor rows(const at::Tensor& x, std::int64_t begin, std::int64_t length) {
  return x.narrow(0, begin, length).unsqueeze(0).transpose(1, 2);
}

/// Rows of a result, its log-sum-exp [T, H] as [1, H, rows]: views.
DenseAttention rows_of(const PackedResult& result, std::int64_t begin, std::int64_t length) {
  return {rows(result.out, begin, length), result.lse.narrow(0, begin, length).t().unsqueeze(0)};
}

/// [1, H, rows, D] back to [rows, H, D], a view.
at::Tensor as_rows(const at::Tensor& x) { return x.squeeze(0).transpose(0, 1); }

at::ScalarType lse_type(const at::Tensor& q) { return q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

PackedResult attend_merged(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const PackedLayout& layout) {
  PackedResult result{at::empty_like(q), at::empty({q.size(0), q.size(1)}, q.options().dtype(lse_type(q)))};
  for (const Segment& s : segments_of(layout)) {
    const auto [out, lse] = dense_attention(rows(q, s.begin, s.length), rows(k, s.key_begin, s.length),
                                            rows(v, s.key_begin, s.length), /*is_causal=*/true);
    result.out.narrow(0, s.begin, s.length).copy_(as_rows(out));
    result.lse.narrow(0, s.begin, s.length).copy_(lse[0].t());
  }
  for (const PrefixReaders& r : prefix_readers(layout)) {
    const auto [out, lse] = dense_attention(rows(q, r.begin, r.length), rows(k, 0, r.seen), rows(v, 0, r.seen), false);
    at::Tensor own_out = result.out.narrow(0, r.begin, r.length), own_lse = result.lse.narrow(0, r.begin, r.length);
    merge_attention_(own_out, own_lse, as_rows(out), lse[0].t());
  }
  return result;
}

PackedGradients attend_merged_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                       const at::Tensor& v, const PackedResult& merged, const PackedLayout& layout) {
  PackedGradients g{at::empty_like(q), at::zeros_like(k), at::zeros_like(v)};
  for (const Segment& s : segments_of(layout)) {
    const auto [dq, dk, dv] = dense_attention_backward(rows(grad, s.begin, s.length), rows(q, s.begin, s.length),
                                                       rows(k, s.key_begin, s.length), rows(v, s.key_begin, s.length),
                                                       rows_of(merged, s.begin, s.length), /*is_causal=*/true);
    g.q.narrow(0, s.begin, s.length).copy_(as_rows(dq));
    g.k.narrow(0, s.key_begin, s.length).copy_(as_rows(dk));
    g.v.narrow(0, s.key_begin, s.length).copy_(as_rows(dv));
  }
  for (const PrefixReaders& r : prefix_readers(layout)) {
    const auto [dq, dk, dv] =
        dense_attention_backward(rows(grad, r.begin, r.length), rows(q, r.begin, r.length), rows(k, 0, r.seen),
                                 rows(v, 0, r.seen), rows_of(merged, r.begin, r.length), false);
    g.q.narrow(0, r.begin, r.length).add_(as_rows(dq));
    g.k.narrow(0, 0, r.seen).add_(as_rows(dk));
    g.v.narrow(0, 0, r.seen).add_(as_rows(dv));
  }
  return g;
}

// With a window that hides something: one masked call a segment, over the part of the prefix that it can see and
// itself.

struct WindowedKeys {
  std::int64_t prefix_begin, prefix_length;
  at::Tensor mask;  ///< [rows, keys], 0 or -infinity
};

WindowedKeys windowed_keys(const Segment& s, const PackedLayout& layout, const at::Tensor& q) {
  const std::int64_t window = *layout.sliding_window;
  const std::int64_t begin = std::clamp<std::int64_t>(s.seen - window + 1, 0, s.seen);
  const at::Tensor row = at::arange(s.seen, s.seen + s.length, at::kLong).unsqueeze(1);
  const at::Tensor key = at::arange(begin, s.seen + s.length, at::kLong).unsqueeze(0);
  const at::Tensor distance = row.sub(key);
  const at::Tensor hidden = distance.lt(0).logical_or_(distance.ge(window));
  const at::Tensor mask = at::zeros(hidden.sizes(), at::TensorOptions(q.scalar_type()));
  return {begin, s.seen - begin, mask.masked_fill_(hidden, -std::numeric_limits<double>::infinity()).to(q.device())};
}

at::Tensor with_prefix(const at::Tensor& x, const Segment& s, const WindowedKeys& keys) {
  if (keys.prefix_length == 0) return rows(x, s.key_begin, s.length);
  return at::cat({rows(x, keys.prefix_begin, keys.prefix_length), rows(x, s.key_begin, s.length)}, 2);
}

PackedResult attend_windowed(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const PackedLayout& layout) {
  PackedResult result{at::empty_like(q), at::empty({q.size(0), q.size(1)}, q.options().dtype(lse_type(q)))};
  for (const Segment& s : segments_of(layout)) {
    const WindowedKeys keys = windowed_keys(s, layout, q);
    const auto [out, lse] =
        dense_attention(rows(q, s.begin, s.length), with_prefix(k, s, keys), with_prefix(v, s, keys), false, keys.mask);
    result.out.narrow(0, s.begin, s.length).copy_(as_rows(out));
    result.lse.narrow(0, s.begin, s.length).copy_(lse[0].t());
  }
  return result;
}

PackedGradients attend_windowed_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                         const at::Tensor& v, const PackedResult& attended,
                                         const PackedLayout& layout) {
  PackedGradients g{at::empty_like(q), at::zeros_like(k), at::zeros_like(v)};
  for (const Segment& s : segments_of(layout)) {
    const WindowedKeys keys = windowed_keys(s, layout, q);
    const auto [dq, dk, dv] =
        dense_attention_backward(rows(grad, s.begin, s.length), rows(q, s.begin, s.length), with_prefix(k, s, keys),
                                 with_prefix(v, s, keys), rows_of(attended, s.begin, s.length), false, keys.mask);
    g.q.narrow(0, s.begin, s.length).copy_(as_rows(dq));
    for (auto [total, part] : {std::pair{g.k, as_rows(dk)}, std::pair{g.v, as_rows(dv)}}) {
      total.narrow(0, keys.prefix_begin, keys.prefix_length).add_(part.narrow(0, 0, keys.prefix_length));
      total.narrow(0, s.key_begin, s.length).add_(part.narrow(0, keys.prefix_length, s.length));
    }
  }
  return g;
}

PackedResult attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const PackedLayout& layout) {
  if (layout.window_matters()) return attend_windowed(q, k, v, layout);
  return flash_attention_fits(q, layout) ? attend_flash(q, k, v, layout) : attend_merged(q, k, v, layout);
}

PackedGradients attend_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                const PackedResult& attended, const PackedLayout& layout) {
  if (layout.window_matters()) return attend_windowed_backward(grad, q, k, v, attended, layout);
  return flash_attention_fits(q, layout) ? attend_flash_backward(grad, q, k, v, attended, layout)
                                         : attend_merged_backward(grad, q, k, v, attended, layout);
}

class PackedAttention : public torch::autograd::Function<PackedAttention> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const PackedLayout& layout, const RotaryTables& query_rotary,
                            const RotaryTables& key_rotary, at::Tensor q, at::Tensor k, const at::Tensor& v) {
    rotate_(q, query_rotary, false);
    rotate_(k, key_rotary, false);
    const PackedResult attended = attend(q, k, v, layout);
    // Detached handles: this function's own inputs, but changed in place since the graph saw them.
    ctx->save_for_backward({q.detach(), k.detach(), v.detach(), attended.out, attended.lse, query_rotary.cos,
                            query_rotary.sin, key_rotary.cos, key_rotary.sin, attended.random_state});
    keep_value(ctx, "layout", layout);
    return attended.out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const PackedLayout& layout = kept_value<PackedLayout>(ctx, "layout");
    PackedGradients g =
        attend_backward(grads[0], saved[0], saved[1], saved[2], PackedResult{saved[3], saved[4], saved[9]}, layout);
    rotate_(g.q, {saved[5], saved[6]}, true);
    rotate_(g.k, {saved[7], saved[8]}, true);
    return {{}, {}, {}, g.q, g.k, g.v};
  }
};

}  // namespace

std::vector<Segment> segments_of(const PackedLayout& layout) {
  std::vector<Segment> segments;
  if (layout.prefix_rows > 0) segments.push_back({0, layout.prefix_begin, layout.prefix_rows, layout.prefix_begin});
  for (std::size_t b = 0; b + 1 < layout.leaf_offsets.size(); ++b) {
    const std::int64_t begin = layout.leaf_offsets[b], length = layout.leaf_offsets[b + 1] - begin;
    if (length > 0) segments.push_back({begin, begin + layout.keys_ahead(), length, layout.prefix_tokens});
  }
  return segments;
}

std::vector<PrefixReaders> prefix_readers(const PackedLayout& layout) {
  const std::int64_t suffix = layout.leaf_offsets.back() - layout.prefix_rows;
  std::vector<PrefixReaders> readers;
  if (layout.prefix_rows > 0 && layout.prefix_begin > 0)
    readers.push_back({0, layout.prefix_rows, layout.prefix_begin});
  if (layout.prefix_tokens > 0 && suffix > 0) readers.push_back({layout.prefix_rows, suffix, layout.prefix_tokens});
  return readers;
}

bool PackedLayout::window_matters() const {
  if (!sliding_window) return false;
  std::int64_t longest = 0;
  for (std::size_t b = 0; b + 1 < leaf_offsets.size(); ++b)
    longest = std::max(longest, leaf_offsets[b + 1] - leaf_offsets[b]);
  return prefix_tokens + longest > *sliding_window;
}

at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const RotaryTables& query_rotary, const RotaryTables& key_rotary,
                            const PackedLayout& layout) {
  return PackedAttention::apply(layout, query_rotary, key_rotary, q, k, v);
}

}  // namespace entune
