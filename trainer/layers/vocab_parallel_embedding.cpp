#include <ATen/ATen.h>

#include "trainer/layers/vocab_parallel.h"

namespace entune {

at::Tensor vocab_parallel_embedding(const at::Tensor& ids, const at::Tensor& weight, std::int64_t vocab_size,
                                    const Shard& shard, const ResidualRows& stream) {
  if (stream.group.size() == 1) return at::embedding(weight, ids);
  return stream.leave(rows_of_part(weight, ids, vocab_size, shard));
}

}  // namespace entune
