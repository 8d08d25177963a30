#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/kernels/rotary.h"

namespace entune {

/// Keys and values of a batch that is being decoded: the prefix's once, each leaf's in a row of its own.
struct KvCache {
  struct Layer {
    at::Tensor prefix_keys, prefix_values;  ///< [1, K, P, D]; undefined if P = 0
    at::Tensor keys, values;                ///< [B, K, S, D], S = capacity
  };
  std::vector<Layer> layers;
  std::int64_t prefix_tokens = 0;     ///< P
  at::Tensor lengths;                 ///< [B] int64, tokens held of each leaf
  std::int64_t longest = 0;           ///< the largest of them
  std::int64_t capacity = 0;          ///< S: tokens a leaf may hold
  RotaryTables rotary;                ///< of the positions P, ..., P + S - 1, where leaves' tokens stand
  std::shared_ptr<const void> place;  ///< held while the layers lie in a StaticDecoding's memory

  /// Keeps these leaves only (finished ones leave). rows: int64 indices, on any device.
  void keep(const at::Tensor& rows);
  /// Forgets the last tokens of each leaf: as many as `tokens` says, leaf by leaf.
  void take_back(const std::vector<std::int64_t>& tokens);
  /// The same, of a capacity of `rows`: views.
  KvCache first_rows(std::int64_t rows) const;
  std::int64_t num_leaves() const { return lengths.defined() ? lengths.size(0) : 0; }
};

}  // namespace entune
