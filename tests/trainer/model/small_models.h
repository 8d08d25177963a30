#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trainer/layers/seeded_values.h"
#include "trainer/model/decoder_model.h"

namespace entune::test {

using Sequence = std::vector<std::int64_t>;

inline LlamaConfig small_config() {
  LlamaConfig c;
  c.vocab_size = 61;
  c.hidden_size = 24;
  c.intermediate_size = 36;
  c.num_layers = 3;
  c.num_heads = 6;
  c.num_kv_heads = 2;
  c.head_dim = 4;
  c.rope_theta = 500.0;
  c.tie_word_embeddings = true;
  c.initializer_range = 0.3;
  return c;
}

inline LoraOptions all_adapters() {
  return {.rank = 3,
          .alpha = 6.0,
          .dropout = 0.0,
          .targets = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}};
}

inline ModelOptions full_training() {
  return {.dtype = at::kFloat, .lora = {}, .train_base = true, .checkpointing = {}};
}
inline ModelOptions lora_training() {
  return {.dtype = at::kFloat, .lora = all_adapters(), .train_base = false, .checkpointing = {}};
}

/// A checkpointing, and whether the residual stream is cut.
using WayToTrain = std::pair<ActivationCheckpointing, bool>;

/// All that make a difference on this tensor axis and give the same gradients.
inline std::vector<WayToTrain> ways_to_train(const Communicator& tensor_axis) {
  std::vector<WayToTrain> ways;
  for (const bool cut : {false, true}) {
    if (cut && tensor_axis.size() == 1) continue;
    for (const auto checkpointing :
         {ActivationCheckpointing::none, ActivationCheckpointing::selective, ActivationCheckpointing::full})
      ways.emplace_back(checkpointing, cut);
  }
  return ways;
}

/// Random adapters, B included: with B = 0 the gradient of A is zero and hides errors. Equal for every layout.
inline void fill_adapters(DecoderModel& model, std::uint64_t seed) {
  model.initialize_lora(seed);
  at::NoGradGuard no_grad;
  for (Parameter& p : model.parameters()) {
    if (p.name.ends_with("lora_B.weight")) fill_normal(p, 0.2, seed + 1);
  }
}

/// Random base and adapters, and norms that are not 1. Equal for every layout.
inline void fill_model(DecoderModel& model, std::uint64_t seed) {
  model.initialize_random(seed);
  fill_adapters(model, seed);
  at::NoGradGuard no_grad;
  for (Parameter& p : model.parameters()) {
    if (p.full_shape.size() == 1) {
      fill_normal(p, 0.2, seed + 2);
      p.value.add_(1.0);
    }
  }
}

inline std::unique_ptr<DecoderModel> make_model(const LlamaConfig& config, const ModelOptions& options,
                                                Communicator& axis) {
  auto model = std::make_unique<DecoderModel>(config, options, axis);
  fill_model(*model, 11);
  return model;
}

/// Sequences that begin with the same `prefix` tokens, packed as [prefix | leaves]. Every token is a target: from
/// `supervised` on with weight 1, before that with `prompt_weight` (none: not at all).
inline PackedBatch pack(const std::vector<Sequence>& sequences, std::int64_t prefix, std::int64_t supervised,
                        float prompt_weight) {
  PackedBatch batch;
  batch.prefix_tokens = prefix;
  const auto append = [&](const Sequence& s, std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      batch.token_ids.push_back(s[i]);
      batch.positions.push_back(i);
    }
  };
  append(sequences[0], 0, prefix);
  batch.leaf_offsets = {prefix};
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const Sequence& s = sequences[b];
    const std::int64_t begin = batch.executed_tokens(), size = static_cast<std::int64_t>(s.size());
    append(s, prefix, size);
    batch.leaf_offsets.push_back(batch.executed_tokens());
    batch.samples.push_back(b);
    for (std::int64_t target = 1; target < size; ++target) {
      const float weight = target < supervised ? prompt_weight : 1.0F;
      if (weight == 0.0F) continue;
      batch.loss_rows.push_back(target - 1 < prefix ? target - 1 : begin + target - 1 - prefix);
      batch.loss_targets.push_back(s[target]);
      batch.loss_weights.push_back(weight);
    }
  }
  return batch;
}

/// Deterministic sequences of these lengths whose first `shared` tokens are equal.
inline std::vector<Sequence> make_sequences(std::int64_t shared, const std::vector<std::int64_t>& lengths,
                                            std::int64_t vocab_size) {
  std::vector<Sequence> sequences;
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    Sequence s;
    for (std::int64_t i = 0; i < lengths[b]; ++i) {
      s.push_back((i * i * 7 + i * 13 + (i < shared ? 0 : static_cast<std::int64_t>(b + 1) * 29)) % vocab_size);
    }
    sequences.push_back(s);
  }
  return sequences;
}

struct LossAndGradients {
  double loss = 0.0;
  std::map<std::string, at::Tensor> gradients;  ///< of the trained parameters, by name
};

/// The sum over micro-batches.
inline LossAndGradients run(DecoderModel& model, const std::vector<PackedBatch>& micro_batches) {
  LossAndGradients result;
  for (const at::Tensor& p : model.trainable_parameters()) p.mutable_grad() = at::Tensor();
  for (const PackedBatch& batch : micro_batches) {
    const at::Tensor loss = model.loss_sum(batch);
    loss.backward();
    result.loss += loss.item<double>();
  }
  for (const Parameter& p : model.parameters()) {
    if (p.value.requires_grad())
      result.gradients[p.name] = p.value.grad().defined() ? p.value.grad().clone() : at::Tensor();
  }
  return result;
}

}  // namespace entune::test
