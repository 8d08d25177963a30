#include <ATen/ATen.h>

#include "trainer/model/decoder_model.h"

namespace entune {

void KvCache::keep(const at::Tensor& kept) {
  const at::Tensor rows = kept.to(lengths.device());
  lengths = lengths.index_select(0, rows);
  for (Layer& layer : layers) {
    layer.keys = layer.keys.index_select(0, rows);
    layer.values = layer.values.index_select(0, rows);
  }
}

}  // namespace entune
