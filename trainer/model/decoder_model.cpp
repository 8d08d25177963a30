#include "trainer/model/decoder_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "trainer/layers/seeded_values.h"
#include "trainer/layers/vocab_parallel.h"
#include "trainer/model/activation_checkpoint.h"
#include "trainer/model/decoder_block.h"
#include "trainer/model/static_decoding.h"

namespace entune {
namespace {

Parameter make_vocabulary(const std::string& name, const LlamaConfig& config, const ModelOptions& options,
                          const Communicator& group) {
  Parameter parameter;
  parameter.name = name;
  parameter.full_shape = {config.vocab_size, config.hidden_size};
  parameter.shard = group.size() > 1 ? Shard{0, group.rank(), group.size()} : Shard{};
  parameter.value = at::zeros({parameter.shard.part(config.vocab_size), config.hidden_size},
                              at::TensorOptions(options.dtype).device(options.device))
                        .set_requires_grad(options.train_base);
  return parameter;
}

}  // namespace

struct DecoderModel::Impl {
  Impl(const LlamaConfig& c, const ModelOptions& o, Communicator& axis)
      : config(c),
        options(o),
        group(axis),
        embedding(make_vocabulary("model.embed_tokens.weight", c, o, axis)),
        norm(make_norm("model.norm.weight", c.hidden_size, o, o.cuts_rows(axis))) {
    TORCH_CHECK(
        c.num_heads % axis.size() == 0 && c.num_kv_heads % axis.size() == 0 && c.intermediate_size % axis.size() == 0,
        "tensor axis of ", axis.size(), ": expected num_heads ", c.num_heads, ", num_kv_heads ", c.num_kv_heads,
        " and intermediate_size ", c.intermediate_size, " to divide by it");
    TORCH_CHECK(c.num_heads % c.num_kv_heads == 0 && c.head_dim % 2 == 0, "expected num_heads ", c.num_heads,
                " to be a multiple of num_kv_heads ", c.num_kv_heads, " and head_dim ", c.head_dim, " to be even");
    parameters.push_back(embedding);
    blocks.reserve(c.num_layers);
    for (std::int64_t i = 0; i < c.num_layers; ++i) {
      block_begins.push_back(parameters.size());
      blocks.emplace_back(c, o, i, axis);
      blocks.back().collect(parameters);
    }
    block_begins.push_back(parameters.size());
    parameters.push_back(norm);
    if (!c.tie_word_embeddings) {
      head = make_vocabulary("lm_head.weight", c, o, axis);
      parameters.push_back(head);
    }
  }

  const Parameter& head_parameter() const { return config.tie_word_embeddings ? embedding : head; }

  at::Tensor embed(const at::Tensor& ids, std::optional<std::int64_t> cut_rows = {}) const {
    return vocab_parallel_embedding(ids, embedding.value, config.vocab_size, embedding.shard, {group, cut_rows});
  }

  /// How training holds a residual stream of `num_rows` rows.
  ResidualRows training_stream(std::int64_t num_rows) const {
    return {group, options.cuts_rows(group) ? std::optional(num_rows) : std::nullopt};
  }

  at::Tensor on_device(const std::vector<std::int64_t>& values) const {
    return at::tensor(values, at::TensorOptions(at::kLong)).to(options.device);
  }

  RotaryTables rotary(const at::Tensor& positions) const {
    return rotary_tables(positions, config.head_dim, config.rope_theta, config.rope_scaling);
  }

  std::shared_ptr<BatchContext> context(const PackedBatch& batch, Communicator* prefix_group = nullptr) const {
    auto result = std::make_shared<BatchContext>();
    result->layout = {batch.prefix_tokens, batch.leaf_offsets, config.sliding_window};
    const at::Tensor positions = on_device(batch.positions);
    result->rotary = rotary(positions);
    result->key_rotary = result->rotary;
    if (!batch.prefix_part) {
      result->layout.prepare_for(options.device);
      return result;
    }

    const PrefixPart part = *batch.prefix_part;
    TORCH_CHECK(prefix_group != nullptr && part.rows * prefix_group->size() == batch.prefix_tokens &&
                    part.begin == part.rows * prefix_group->rank(),
                "expected the ranks that hold the other parts of a prefix of ", batch.prefix_tokens, " tokens, found ",
                part.rows, " rows from ", part.begin, " on and a group of ",
                prefix_group == nullptr ? 0 : prefix_group->size());
    result->prefix_group = prefix_group;
    result->layout.prefix_begin = part.begin;
    result->layout.prefix_rows = part.rows;
    result->layout.prepare_for(options.device);
    const at::Tensor leaves = positions.narrow(0, part.rows, positions.size(0) - part.rows);
    const at::Tensor key_positions = at::cat({at::arange(batch.prefix_tokens, leaves.options()), leaves});
    result->key_rotary = rotary(key_positions);
    return result;
  }

  /// A seed that differs from pass to pass and between data ranks (which hold other samples), and is equal over the
  /// tensor axis.
  std::optional<std::uint64_t> dropout_seed(const PackedBatch& batch) {
    if (!training || !options.lora || options.lora->dropout == 0.0) return std::nullopt;
    std::uint64_t seed = name_seed(num_passes++, "dropout");
    for (const std::size_t sample : batch.samples) seed = name_seed(seed ^ sample, "sample");
    return seed;
  }

  /// Final hidden states, normalized, of these rows of the batch: [N, C] as training_stream(N) holds them.
  at::Tensor hidden(const PackedBatch& batch, const at::Tensor& rows, Communicator* prefix_group = nullptr) {
    const std::shared_ptr<BatchContext> context = this->context(batch, prefix_group);
    context->dropout_seed = dropout_seed(batch);
    context->cut_rows = training_stream(batch.executed_tokens()).cut_rows;
    const auto checkpointing = at::GradMode::is_enabled() ? options.checkpointing : ActivationCheckpointing::none;
    context->checkpoint_mlp = checkpointing == ActivationCheckpointing::selective;
    use(0, block_begins.front());
    Residual residual{embed(on_device(batch.token_ids), context->cut_rows), {}};
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      use(block_begins[i], block_begins[i + 1]);
      const DecoderBlock& block = blocks[i];
      const at::Tensor block_rows = i + 1 == blocks.size() ? rows : at::Tensor();
      if (checkpointing != ActivationCheckpointing::full) {
        residual = block.forward(residual, *context, block_rows);
        continue;
      }
      const auto forward = [&block, context, block_rows](const at::Tensor& x) {
        const Residual output = block.forward({x, {}}, *context, block_rows);
        return output.x.add(output.branch);
      };
      residual = {activation_checkpoint(forward, residual.x), {}};
    }
    use(block_begins.back(), parameters.size());
    return normalize(residual, norm.value, config.rms_norm_eps).second;
  }

  void use(std::size_t begin, std::size_t end) const {
    if (before_use) before_use(begin, end);
  }

  /// Logits [R, V] after tokens at the places `positions` [R] of the cache, which then holds `lengths` tokens.
  at::Tensor decode(const at::Tensor& ids, const KvCache& cache, const at::Tensor& positions, const at::Tensor& lengths,
                    const std::optional<CachedRows>& rows) {
    const RotaryTables rotary{cache.rotary.cos.index_select(0, positions), cache.rotary.sin.index_select(0, positions)};
    FlashOffsets offsets;
    Residual residual{embed(ids), {}};
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const KvCache::Layer& layer = cache.layers[i];
      CachedKeys keys{layer.prefix_keys, layer.prefix_values, layer.keys, layer.values, lengths, rows, offsets};
      if (i == 0) keys.offsets = offsets = flash_offsets(keys);
      residual = blocks[i].decode(residual, rotary, keys);
    }
    return head_logits(normalize(residual, norm.value, config.rms_norm_eps).second);
  }

  /// Of whole rows.
  at::Tensor head_logits(const at::Tensor& hidden) const {
    const Parameter& p = head_parameter();
    return vocab_parallel_logits(hidden, p.value, config.vocab_size, p.shard, group);
  }

  LlamaConfig config;
  ModelOptions options;
  Communicator& group;
  Parameter embedding, norm, head;
  std::vector<DecoderBlock> blocks;
  std::vector<Parameter> parameters;
  std::vector<std::size_t> block_begins;  ///< among the parameters; the last one: where the blocks end
  std::function<void(std::size_t, std::size_t)> before_use;
  bool training = true;
  std::uint64_t num_passes = 0;
  std::optional<StaticDecoding> recorded;  ///< on a GPU, without other tensor ranks
};

DecoderModel::DecoderModel(const LlamaConfig& config, const ModelOptions& options, Communicator& tensor_axis)
    : impl_(std::make_unique<Impl>(config, options, tensor_axis)) {
  // Other ranks' kernels would have to be recorded at the same moment.
  if (options.device.is_cuda() && tensor_axis.size() == 1) {
    impl_->recorded.emplace([this](const at::Tensor& ids, const KvCache& cache) { return decode_step(ids, cache); });
  }
}
DecoderModel::~DecoderModel() = default;

const LlamaConfig& DecoderModel::config() const { return impl_->config; }
const ModelOptions& DecoderModel::options() const { return impl_->options; }
std::vector<Parameter>& DecoderModel::parameters() {
  impl_->use(0, impl_->parameters.size());
  return impl_->parameters;
}
void DecoderModel::before_use(std::function<void(std::size_t, std::size_t)> hook) {
  impl_->before_use = std::move(hook);
}
void DecoderModel::set_training(bool training) {
  impl_->training = training;
  if (training && impl_->recorded) impl_->recorded->clear();
}
void DecoderModel::count_passes_from(std::uint64_t number) { impl_->num_passes = number; }

std::vector<at::Tensor> DecoderModel::trainable_parameters() {
  std::vector<at::Tensor> result;
  for (const Parameter& p : impl_->parameters) {
    if (p.value.requires_grad()) result.push_back(p.value);
  }
  return result;
}

void DecoderModel::initialize_lora(std::uint64_t seed) {
  at::NoGradGuard no_grad;
  for (Parameter& p : impl_->parameters) {
    if (!p.is_adapter) continue;
    if (p.name.ends_with(".lora_A.weight")) {
      fill_uniform(p, 1.0 / std::sqrt(static_cast<double>(p.full_shape[1])), seed);
    } else {
      p.value.zero_();
    }
  }
}

void DecoderModel::initialize_random(std::uint64_t seed) {
  at::NoGradGuard no_grad;
  for (Parameter& p : impl_->parameters) {
    if (p.is_adapter) continue;
    if (p.full_shape.size() == 1) {
      p.value.fill_(p.name.ends_with(".bias") ? 0.0 : 1.0);
    } else {
      fill_normal(p, impl_->config.initializer_range, seed);
    }
  }
  initialize_lora(seed);
}

at::Tensor DecoderModel::loss_sum(const PackedBatch& batch, Communicator* prefix_group) {
  const at::Tensor rows = impl_->on_device(batch.loss_rows);
  const at::Tensor hidden = impl_->hidden(batch, rows, prefix_group);
  const Parameter& head = impl_->head_parameter();
  const at::Tensor weights = at::tensor(batch.loss_weights, at::TensorOptions(at::kFloat)).to(impl_->options.device);
  return vocab_parallel_cross_entropy(hidden, head.value, impl_->on_device(batch.loss_targets), weights,
                                      impl_->config.vocab_size, head.shard, impl_->training_stream(rows.size(0)));
}

at::Tensor DecoderModel::logits(const PackedBatch& batch, const std::vector<std::int64_t>& rows) {
  at::NoGradGuard no_grad;
  const at::Tensor hidden = impl_->hidden(batch, impl_->on_device(rows));
  return impl_->head_logits(impl_->training_stream(static_cast<std::int64_t>(rows.size())).enter(hidden));
}

at::Tensor DecoderModel::prefill(const PackedBatch& batch, std::int64_t new_tokens, KvCache& cache) {
  at::NoGradGuard no_grad;
  impl_->use(0, impl_->parameters.size());
  const std::int64_t prefix = batch.prefix_tokens, num_leaves = batch.num_leaves();
  std::vector<std::int64_t> lengths, last_rows;
  for (std::int64_t b = 0; b < num_leaves; ++b) {
    lengths.push_back(batch.leaf_offsets[b + 1] - batch.leaf_offsets[b]);
    last_rows.push_back(lengths.back() > 0 ? batch.leaf_offsets[b + 1] - 1 : prefix - 1);
  }
  cache = KvCache{};
  cache.prefix_tokens = prefix;
  cache.lengths = impl_->on_device(lengths);
  cache.longest = lengths.empty() ? 0 : *std::ranges::max_element(lengths);
  cache.capacity = cache.longest + new_tokens;
  cache.rotary = impl_->rotary(at::arange(prefix, prefix + cache.capacity, cache.lengths.options()));

  const std::shared_ptr<BatchContext> context = impl_->context(batch);
  const at::Tensor rows = impl_->on_device(last_rows);
  Residual residual{impl_->embed(impl_->on_device(batch.token_ids)), {}};
  for (std::size_t i = 0; i < impl_->blocks.size(); ++i) {
    at::Tensor keys, values;
    residual =
        impl_->blocks[i].prefill(residual, *context, i + 1 == impl_->blocks.size() ? rows : at::Tensor(), keys, values);
    KvCache::Layer layer;
    // [T, K, D] -> the prefix's [1, K, P, D] and each leaf's row of [B, K, S, D].
    const auto store = [&](const at::Tensor& packed, at::Tensor& of_prefix, at::Tensor& of_leaves) {
      if (prefix > 0) of_prefix = packed.narrow(0, 0, prefix).transpose(0, 1).unsqueeze(0).contiguous();
      of_leaves = at::zeros({num_leaves, packed.size(1), cache.capacity, packed.size(2)}, packed.options());
      for (std::int64_t b = 0; b < num_leaves; ++b) {
        of_leaves[b]
            .narrow(1, 0, lengths[b])
            .copy_(packed.narrow(0, batch.leaf_offsets[b], lengths[b]).transpose(0, 1));
      }
    };
    store(keys, layer.prefix_keys, layer.keys);
    store(values, layer.prefix_values, layer.values);
    cache.layers.push_back(std::move(layer));
  }
  return impl_->head_logits(normalize(residual, impl_->norm.value, impl_->config.rms_norm_eps).second);
}

at::Tensor DecoderModel::decode(const at::Tensor& next_ids, KvCache& cache) {
  at::NoGradGuard no_grad;
  TORCH_CHECK(cache.longest < cache.capacity, "key/value cache: expected room for ", cache.longest + 1,
              " tokens of a leaf, found a capacity of ", cache.capacity);
  const at::Tensor ids = next_ids.to(impl_->options.device);
  const at::Tensor logits = impl_->recorded && impl_->recorded->takes(cache)
                                ? impl_->recorded->decode(ids, cache)
                                : decode_step(ids, cache.first_rows(cache.longest + 1));
  cache.lengths = cache.lengths.add(1);
  ++cache.longest;
  return logits;
}

at::Tensor DecoderModel::decode_step(const at::Tensor& ids, const KvCache& cache) {
  at::NoGradGuard no_grad;
  return impl_->decode(ids, cache, cache.lengths, cache.lengths.add(1), {});
}

at::Tensor DecoderModel::decode_several(const at::Tensor& ids, const std::vector<std::int64_t>& counts,
                                        KvCache& cache) {
  at::NoGradGuard no_grad;
  TORCH_CHECK(static_cast<std::int64_t>(counts.size()) == cache.num_leaves() &&
                  std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) == ids.size(0) &&
                  std::ranges::min(counts) >= 1,
              "decode: expected at least one token for each of ", cache.num_leaves(), " leaves, found ", ids.size(0),
              " tokens and ", counts.size(), " counts");
  const at::Tensor count = impl_->on_device(counts);
  CachedRows rows{.counts = count, .most = *std::ranges::max_element(counts)};
  rows.leaf = at::repeat_interleave(count);
  rows.place = at::arange(ids.size(0), count.options()).sub(count.cumsum(0).sub(count).index_select(0, rows.leaf));
  rows.slot = cache.lengths.index_select(0, rows.leaf).add(rows.place);
  const std::int64_t longest = std::min(cache.longest + rows.most, cache.capacity);
  const at::Tensor lengths = cache.lengths.add(count);
  const at::Tensor logits =
      impl_->decode(ids.to(impl_->options.device), cache.first_rows(longest), rows.slot, lengths, rows);
  cache.lengths = lengths;
  cache.longest = longest;
  return logits;
}

}  // namespace entune
