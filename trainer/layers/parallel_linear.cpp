#include "trainer/layers/parallel_linear.h"

#include <ATen/ATen.h>

#include "trainer/layers/seeded_values.h"

namespace entune {
namespace {

Parameter make_parameter(const std::string& name, std::vector<std::int64_t> full_shape, const Shard& shard,
                         const at::TensorOptions& options, bool trained) {
  std::vector<std::int64_t> shape = full_shape;
  if (shard.dim >= 0) {
    TORCH_CHECK(full_shape[shard.dim] % shard.size == 0, name, ": expected dimension ", shard.dim, " of size ",
                full_shape[shard.dim], " to divide by the tensor-parallel size ", shard.size);
    shape[shard.dim] = shard.part(full_shape[shard.dim]);
  }
  Parameter parameter;
  parameter.name = name;
  parameter.value = at::empty(shape, options).set_requires_grad(trained);
  parameter.full_shape = std::move(full_shape);
  parameter.shard = shard;
  return parameter;
}

}  // namespace

ParallelLinear::ParallelLinear(LinearOptions options, Cut cut, Communicator& group) : options_(std::move(options)) {
  const Shard whole, rows{0, group.rank(), group.size()}, columns{1, group.rank(), group.size()};
  const bool column = cut == Cut::column;
  const std::int64_t in = options_.in_features, out = options_.out_features, rank = options_.lora_rank;
  const at::TensorOptions of_adapter = at::TensorOptions(at::kFloat).device(options_.device);
  const at::TensorOptions of_base = of_adapter.dtype(options_.dtype);
  parameters_.push_back(
      make_parameter(options_.name + ".weight", {out, in}, column ? rows : columns, of_base, options_.train_base));
  projection_.weight = parameters_[0].value;
  if (options_.bias) {
    TORCH_CHECK(column, options_.name, ": a row-parallel layer would add its bias once a rank");
    parameters_.push_back(make_parameter(options_.name + ".bias", {out}, rows, of_base, options_.train_base));
    projection_.bias = parameters_[1].value;
  }
  if (rank == 0) return;
  Parameter a =
      make_parameter(options_.name + ".lora_A.weight", {rank, in}, column ? whole : columns, of_adapter, true);
  Parameter b = make_parameter(options_.name + ".lora_B.weight", {out, rank}, column ? rows : whole, of_adapter, true);
  a.is_adapter = b.is_adapter = true;
  (column ? a : b).partial_gradient = group.size() > 1;
  projection_.lora_a = a.value;
  projection_.lora_b = b.value;
  projection_.scale = options_.lora_scale;
  projection_.dropout.full = in;
  projection_.dropout.begin = a.shard.begin(in);
  name_hash_ = name_seed(0, options_.name);
  parameters_.insert(parameters_.end(), {a, b});
}

void ParallelLinear::collect(std::vector<Parameter>& parameters) const {
  parameters.insert(parameters.end(), parameters_.begin(), parameters_.end());
}

Projection ParallelLinear::projection(std::optional<std::uint64_t> dropout_seed) const {
  Projection result = projection_;
  if (dropout_seed && result.lora_a.defined()) {
    result.dropout.probability = options_.lora_dropout;
    result.dropout.seed = *dropout_seed ^ name_hash_;
  }
  return result;
}

std::vector<at::Tensor> column_parallel(const at::Tensor& x, const std::vector<const ParallelLinear*>& layers,
                                        const ResidualRows& stream, std::optional<std::uint64_t> dropout_seed) {
  std::vector<Projection> projections;
  for (const ParallelLinear* layer : layers) projections.push_back(layer->projection(dropout_seed));
  if (!stream.cut_rows) return project(stream.enter(x), projections);
  return project(x, projections,
                 {.whole = [stream](const at::Tensor& part) { return stream.enter(part); },
                  .part_of_sum = [stream](const at::Tensor& gradient) { return stream.leave(gradient); }});
}

at::Tensor row_parallel(const at::Tensor& x, const ParallelLinear& layer, const ResidualRows& stream,
                        std::optional<std::uint64_t> dropout_seed) {
  return stream.leave(project(x, {layer.projection(dropout_seed)})[0]);
}

at::Tensor row_parallel_swiglu(const at::Tensor& gate, const at::Tensor& up, const ParallelLinear& layer,
                               const ResidualRows& stream, std::optional<std::uint64_t> dropout_seed) {
  return stream.leave(swiglu_project(gate, up, layer.projection(dropout_seed)));
}

}  // namespace entune
