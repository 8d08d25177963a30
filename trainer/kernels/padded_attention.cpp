#include "trainer/kernels/padded_attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>

namespace entune {
namespace {

/// x [B, H, n, D] with zeros behind its n rows.
at::Tensor padded(const at::Tensor& x, std::int64_t rows) {
  if (x.size(2) == rows) return x;
  // All heads of a row together, as x comes.
  at::Tensor result = at::zeros({x.size(0), rows, x.size(1), x.size(3)}, x.options()).transpose(1, 2);
  result.narrow(2, 0, x.size(2)).copy_(x);
  return result;
}

struct Padded {
  Padded(const at::Tensor& q_in, const at::Tensor& k_in, const at::Tensor& v_in, bool is_causal)
      : rows(padded_rows(q_in.size(2))),
        q(padded(q_in, rows)),
        k(padded(k_in, is_causal ? rows : k_in.size(2))),
        v(padded(v_in, is_causal ? rows : v_in.size(2))) {}
  std::int64_t rows;
  at::Tensor q, k, v;
};

}  // namespace

std::int64_t padded_rows(std::int64_t n) {
  const auto above = std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(n, 128)));
  const auto unit = static_cast<std::int64_t>(above / 16);
  return (n + unit - 1) / unit * unit;
}

DenseAttention padded_attention(const Attend& attend, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                bool is_causal) {
  const Padded p(q, k, v, is_causal);
  const auto [out, lse] = attend(p.q, p.k, p.v, is_causal);
  return {out.narrow(2, 0, q.size(2)), lse.narrow(2, 0, q.size(2))};
}

AttentionGradients padded_attention_backward(const AttendBackward& backward, const at::Tensor& grad,
                                             const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                             const DenseAttention& result, bool is_causal) {
  const Padded p(q, k, v, is_causal);
  const DenseAttention of_all{padded(result.out, p.rows),
                              at::constant_pad_nd(result.lse, {0, p.rows - q.size(2)}).contiguous()};
  const auto [dq, dk, dv] = backward(padded(grad, p.rows), p.q, p.k, p.v, of_all, is_causal);
  return {dq.narrow(2, 0, q.size(2)), dk.narrow(2, 0, k.size(2)), dv.narrow(2, 0, v.size(2))};
}

}  // namespace entune
