#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "trainer/kernels/packed_attention.h"

namespace entune {

// How packed attention falls into calls: each segment by itself, and the readers of the prefix over the prefix.

/// Query rows [begin, begin + length) and key rows [key_begin, key_begin + length) that attend causally among
/// themselves; the queries also see the first `seen` rows of the prefix.
struct Segment {
  std::int64_t begin, key_begin, length, seen;
};

/// Those that are not empty, in the order of the rows, which they cover.
std::vector<Segment> segments_of(const PackedLayout& layout);

/// Query rows [begin, begin + length) that see the prefix's first `seen` rows beside what they see of their own.
struct PrefixReaders {
  std::int64_t begin, length, seen;
};

/// A part of the prefix reads the rows before it; all leaves together read the whole.
std::vector<PrefixReaders> prefix_readers(const PackedLayout& layout);

struct PackedResult {
  at::Tensor out;  ///< [T, H, D]
  at::Tensor lse;  ///< [T, H], over all that a row sees
  /// Of flash over segments of several lengths, whose backward asks for it; otherwise undefined.
  at::Tensor random_state = {};
};

struct PackedGradients {
  at::Tensor q, k, v;
};

/// Whether the fused operators of GPUs can do it: they take the heads (fused_attention_takes), and no window matters.
bool flash_attention_fits(const at::Tensor& q, const PackedLayout& layout);

/// packed_attention by PyTorch's fused operators for GPUs: one call for all segments, one for each of prefix_readers.
/// Segments of one length are a dense batch, for which cuDNN may be the faster; others go to flash, as cuDNN would plan
/// every number and length of them anew.
PackedResult attend_flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const PackedLayout& layout);
PackedGradients attend_flash_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                      const at::Tensor& v, const PackedResult& attended, const PackedLayout& layout);

}  // namespace entune
