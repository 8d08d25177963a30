#include "trainer/model/decoder_block.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "distributed/parallel_regions.h"
#include "trainer/kernels/rms_norm.h"
#include "trainer/model/activation_checkpoint.h"

namespace entune {
namespace {

LinearOptions linear_options(const ModelOptions& options, std::int64_t block, const std::string& part,
                             const std::string& projection, std::int64_t in, std::int64_t out) {
  LinearOptions result{.name = fmt::format("model.layers.{}.{}.{}", block, part, projection),
                       .in_features = in,
                       .out_features = out,
                       .dtype = options.dtype,
                       .device = options.device,
                       .train_base = options.train_base};
  if (options.lora && std::ranges::find(options.lora->targets, projection) != options.lora->targets.end()) {
    result.lora_rank = options.lora->rank;
    result.lora_scale = options.lora->alpha / static_cast<double>(options.lora->rank);
    result.lora_dropout = options.lora->dropout;
  }
  return result;
}

/// q, k or v.
LinearOptions attention_input(const LlamaConfig& config, const ModelOptions& options, std::int64_t block,
                              const std::string& projection, std::int64_t num_heads) {
  LinearOptions result =
      linear_options(options, block, "self_attn", projection, config.hidden_size, num_heads * config.head_dim);
  result.bias = config.qkv_bias;
  return result;
}

/// A norm over each head, the same for all of them.
std::optional<Parameter> make_head_norm(const LlamaConfig& config, const ModelOptions& options, std::int64_t block,
                                        const std::string& name, const Communicator& group) {
  if (!config.qk_norm) return std::nullopt;
  return make_norm(fmt::format("model.layers.{}.self_attn.{}.weight", block, name), config.head_dim, options,
                   group.size() > 1);
}

}  // namespace

Parameter make_norm(const std::string& name, std::int64_t size, const ModelOptions& options, bool normalizes_part) {
  Parameter parameter;
  parameter.name = name;
  parameter.value = at::empty({size}, at::TensorOptions(options.dtype).device(options.device))
                        .set_requires_grad(options.train_base);
  parameter.full_shape = {size};
  parameter.partial_gradient = normalizes_part;
  return parameter;
}

std::pair<at::Tensor, at::Tensor> normalize(const Residual& residual, const at::Tensor& weight, double eps) {
  if (!residual.branch.defined()) return {residual.x, rms_norm(residual.x, weight, eps)};
  return add_rms_norm(residual.x, residual.branch, weight, eps);
}

DecoderBlock::DecoderBlock(const LlamaConfig& c, const ModelOptions& options, std::int64_t index,
                           Communicator& tensor_axis)
    : group_(tensor_axis),
      eps_(c.rms_norm_eps),
      head_dim_(c.head_dim),
      sliding_window_(c.sliding_window),
      input_norm_(make_norm(fmt::format("model.layers.{}.input_layernorm.weight", index), c.hidden_size, options,
                            options.cuts_rows(tensor_axis))),
      attention_norm_(make_norm(fmt::format("model.layers.{}.post_attention_layernorm.weight", index), c.hidden_size,
                                options, options.cuts_rows(tensor_axis))),
      q_norm_(make_head_norm(c, options, index, "q_norm", tensor_axis)),
      k_norm_(make_head_norm(c, options, index, "k_norm", tensor_axis)),
      q_proj_(attention_input(c, options, index, "q_proj", c.num_heads), ParallelLinear::Cut::column, tensor_axis),
      k_proj_(attention_input(c, options, index, "k_proj", c.num_kv_heads), ParallelLinear::Cut::column, tensor_axis),
      v_proj_(attention_input(c, options, index, "v_proj", c.num_kv_heads), ParallelLinear::Cut::column, tensor_axis),
      o_proj_(linear_options(options, index, "self_attn", "o_proj", c.num_heads * c.head_dim, c.hidden_size),
              ParallelLinear::Cut::row, tensor_axis),
      gate_proj_(linear_options(options, index, "mlp", "gate_proj", c.hidden_size, c.intermediate_size),
                 ParallelLinear::Cut::column, tensor_axis),
      up_proj_(linear_options(options, index, "mlp", "up_proj", c.hidden_size, c.intermediate_size),
               ParallelLinear::Cut::column, tensor_axis),
      down_proj_(linear_options(options, index, "mlp", "down_proj", c.intermediate_size, c.hidden_size),
                 ParallelLinear::Cut::row, tensor_axis) {}

void DecoderBlock::collect(std::vector<Parameter>& parameters) const {
  parameters.push_back(input_norm_);
  for (const ParallelLinear* layer : {&q_proj_, &k_proj_, &v_proj_, &o_proj_}) layer->collect(parameters);
  for (const std::optional<Parameter>* norm : {&q_norm_, &k_norm_}) {
    if (*norm) parameters.push_back(**norm);
  }
  parameters.push_back(attention_norm_);
  for (const ParallelLinear* layer : {&gate_proj_, &up_proj_, &down_proj_}) layer->collect(parameters);
}

DecoderBlock::Heads DecoderBlock::heads(at::Tensor& x, const Residual& input, const BatchContext& batch) const {
  at::Tensor normed;
  std::tie(x, normed) = normalize(input, input_norm_.value, eps_);
  const std::vector<at::Tensor> projected =
      column_parallel(normed, {&q_proj_, &k_proj_, &v_proj_}, {group_, batch.cut_rows}, batch.dropout_seed);
  const auto split = [&](const at::Tensor& t, const std::optional<Parameter>& norm) {
    const at::Tensor heads = t.view({t.size(0), -1, head_dim_});
    return norm ? rms_norm(heads, norm->value, eps_) : heads;
  };
  return {split(projected[0], q_norm_), split(projected[1], k_norm_), split(projected[2], std::nullopt)};
}

Residual DecoderBlock::finish(at::Tensor x, at::Tensor attended, const at::Tensor& rows,
                              const BatchContext& batch) const {
  attended = attended.flatten(1);
  const ResidualRows before{group_, batch.cut_rows};
  const ResidualRows stream = rows.defined() ? before.with_rows(rows.size(0)) : before;
  if (rows.defined()) {
    attended = attended.index_select(0, rows);
    x = before.index_select(x, rows);
  }
  const at::Tensor branch = row_parallel(attended, o_proj_, stream, batch.dropout_seed);
  if (!batch.checkpoint_mlp) {
    const auto [sum, normed] = normalize({x, branch}, attention_norm_.value, eps_);
    return {sum, mlp(normed, stream, batch.dropout_seed)};
  }
  const auto normalized_mlp = [this, stream, seed = batch.dropout_seed](const at::Tensor& sum) {
    return mlp(normalize({sum, {}}, attention_norm_.value, eps_).second, stream, seed);
  };
  const at::Tensor sum = x.add(branch);
  return {sum, activation_checkpoint(normalized_mlp, sum)};
}

at::Tensor DecoderBlock::mlp(const at::Tensor& normed, const ResidualRows& stream,
                             std::optional<std::uint64_t> dropout_seed) const {
  const std::vector<at::Tensor> projected = column_parallel(normed, {&gate_proj_, &up_proj_}, stream, dropout_seed);
  return row_parallel_swiglu(projected[0], projected[1], down_proj_, stream, dropout_seed);
}

Residual DecoderBlock::forward(const Residual& input, const BatchContext& batch, const at::Tensor& rows) const {
  at::Tensor x;
  Heads h = heads(x, input, batch);
  if (batch.prefix_group != nullptr) {
    const std::int64_t here = batch.layout.prefix_rows, kv_heads = h.k.size(1);
    const at::Tensor mine = at::cat({h.k.narrow(0, 0, here), h.v.narrow(0, 0, here)}, 1);
    const at::Tensor prefix = gather_to_region(mine, *batch.prefix_group);
    h.k = at::cat({prefix.narrow(1, 0, kv_heads), h.k.narrow(0, here, h.k.size(0) - here)});
    h.v = at::cat({prefix.narrow(1, kv_heads, kv_heads), h.v.narrow(0, here, h.v.size(0) - here)});
  }
  const at::Tensor attended = packed_attention(h.q, h.k, h.v, batch.rotary, batch.key_rotary, batch.layout);
  return finish(x, attended, rows, batch);
}

Residual DecoderBlock::prefill(const Residual& input, const BatchContext& batch, const at::Tensor& rows,
                               at::Tensor& keys, at::Tensor& values) const {
  at::Tensor x;
  const Heads h = heads(x, input, batch);
  const at::Tensor attended = packed_attention(h.q, h.k, h.v, batch.rotary, batch.key_rotary, batch.layout);
  keys = h.k;  // rotated in place by packed_attention
  values = h.v;
  return finish(x, attended, rows, batch);
}

Residual DecoderBlock::decode(const Residual& input, const RotaryTables& rotary, const CachedKeys& cache) const {
  at::Tensor x;
  Heads h = heads(x, input, {});
  rotate_(h.q, rotary, false);
  rotate_(h.k, rotary, false);
  const at::Tensor leaf = cache.rows ? cache.rows->leaf : at::arange(h.k.size(0), cache.lengths.options());
  const at::Tensor slot = cache.rows ? cache.rows->slot : cache.lengths.sub(1);
  cache.keys.transpose(1, 2).index_put_({leaf, slot}, h.k);
  cache.values.transpose(1, 2).index_put_({leaf, slot}, h.v);
  return finish(x, cached_attention(h.q, cache, sliding_window_), {}, {});
}

}  // namespace entune
