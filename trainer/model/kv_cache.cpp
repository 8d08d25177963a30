#include "trainer/model/kv_cache.h"

#include <ATen/ATen.h>

namespace entune {

void KvCache::keep(const at::Tensor& kept) {
  const at::Tensor rows = kept.to(lengths.device());
  lengths = lengths.index_select(0, rows);
  longest = num_leaves() > 0 ? lengths.max().item<std::int64_t>() : 0;
  for (Layer& layer : layers) {
    layer.keys = layer.keys.index_select(0, rows);
    layer.values = layer.values.index_select(0, rows);
  }
}

void KvCache::take_back(const std::vector<std::int64_t>& tokens) {
  lengths = lengths.sub(at::tensor(tokens, at::kLong).to(lengths.device()));
  longest = num_leaves() > 0 ? lengths.max().item<std::int64_t>() : 0;
}

KvCache KvCache::first_rows(std::int64_t rows) const {
  KvCache result = *this;
  result.capacity = rows;
  for (Layer& layer : result.layers) {
    layer.keys = layer.keys.narrow(2, 0, rows);
    layer.values = layer.values.narrow(2, 0, rows);
  }
  return result;
}

}  // namespace entune
