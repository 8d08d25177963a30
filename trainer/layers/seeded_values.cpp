#include "trainer/layers/seeded_values.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <functional>

namespace entune {
namespace {

void fill(Parameter& parameter, std::uint64_t seed, const std::function<void(at::Tensor&, at::Generator&)>& draw) {
  at::NoGradGuard no_grad;
  constexpr std::int64_t kRows = 1024;
  at::Generator generator = at::detail::createCPUGenerator(name_seed(seed, parameter.name));
  const Shard& shard = parameter.shard;
  const std::int64_t num_rows = parameter.full_shape[0];
  const std::int64_t first = shard.dim == 0 ? shard.begin(num_rows) : 0,
                     last = shard.dim == 0 ? shard.end(num_rows) : num_rows;
  parameter.value.zero_();
  for (std::int64_t begin = 0; begin < last; begin += kRows) {
    std::vector<std::int64_t> shape = parameter.full_shape;
    shape[0] = std::min(kRows, num_rows - begin);
    at::Tensor piece = at::empty(shape, at::TensorOptions(at::kFloat));
    draw(piece, generator);
    if (shard.dim == 1) {
      const std::int64_t columns = parameter.full_shape[1];
      piece = piece.narrow(1, shard.begin(columns), shard.end(columns) - shard.begin(columns));
    }
    const std::int64_t from = std::max(begin, first), to = std::min(begin + shape[0], last);
    if (from < to) parameter.value.narrow(0, from - first, to - from).copy_(piece.narrow(0, from - begin, to - from));
  }
}

}  // namespace

std::uint64_t name_seed(std::uint64_t seed, const std::string& name) {
  // FNV-1a, then the finalizer of splitmix64, so that neighbouring seeds give unrelated generators.
  std::uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const unsigned char c : name) hash = (hash ^ c) * 1099511628211ULL;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

void fill_normal(Parameter& parameter, double standard_deviation, std::uint64_t seed) {
  fill(parameter, seed,
       [&](at::Tensor& piece, at::Generator& generator) { piece.normal_(0.0, standard_deviation, generator); });
}

void fill_uniform(Parameter& parameter, double bound, std::uint64_t seed) {
  fill(parameter, seed, [&](at::Tensor& piece, at::Generator& generator) { piece.uniform_(-bound, bound, generator); });
}

}  // namespace entune
