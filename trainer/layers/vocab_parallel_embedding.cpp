#include <ATen/ATen.h>

#include "distributed/parallel_regions.h"
#include "trainer/layers/vocab_parallel.h"

namespace entune {

at::Tensor vocab_parallel_embedding(const at::Tensor& ids, const at::Tensor& weight, std::int64_t vocab_size,
                                    const Shard& shard, Communicator& group) {
  if (group.size() == 1) return at::embedding(weight, ids);
  const std::int64_t begin = shard.begin(vocab_size), end = shard.end(vocab_size);
  const at::Tensor absent = ids.lt(begin).logical_or_(ids.ge(end));
  const at::Tensor found = at::embedding(weight, ids.sub(begin).masked_fill_(absent, 0));
  return reduce_from_region(found.masked_fill(absent.unsqueeze(1), 0), group);
}

}  // namespace entune
