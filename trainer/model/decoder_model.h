#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "data/batches/packed_batch.h"
#include "distributed/communicator.h"
#include "trainer/model/kv_cache.h"
#include "trainer/model/llama_config.h"
#include "trainer/model/parameter.h"

namespace entune {

/// Low-rank adapters: y = W x + (alpha / rank) B A x on the named projections. B starts at zero, A by Kaiming-uniform
/// (PEFT's default).
struct LoraOptions {
  std::int64_t rank = 16;
  double alpha = 32.0;
  double dropout = 0.0;              ///< on the adapter's input, in training; refused with prefix sharing
  std::vector<std::string> targets;  ///< of q_proj k_proj v_proj o_proj gate_proj up_proj down_proj
};

/// Which activations the backward computes again instead of keeping them.
enum class ActivationCheckpointing {
  none,
  selective,  ///< of each block's MLP half: norm, gate, up, product and down
  full        ///< of whole blocks
};

struct ModelOptions {
  at::ScalarType dtype =
      at::kFloat;  ///< of weights and activations; adapters, norms' statistics and the loss are float32
  std::optional<LoraOptions> lora;  ///< absent: no adapters
  bool train_base = false;          ///< full fine-tuning
  ActivationCheckpointing checkpointing = ActivationCheckpointing::none;
  bool sequence_parallel = false;  ///< training cuts the residual stream by rows over the tensor axis (ResidualRows)
  at::Device device = at::kCPU;  ///< of parameters and activations; batches come from the CPU

  bool cuts_rows(const Communicator& tensor_axis) const { return sequence_parallel && tensor_axis.size() > 1; }
};

/// A Llama-family decoder: embedding, blocks of attention and SwiGLU with RMSNorm before each, a final norm and the
/// head. Plain maths: parallelism enters through the layer types (trainer/layers). Parameters are allocated here
/// (uninitialized) and filled by trainer/weights or by initialize_random().
class DecoderModel {
 public:
  /// Heads, key/value heads and the intermediate size must divide by tensor_axis.size() (TORCH_CHECK; the recipe's
  /// validation says it first). `tensor_axis` must outlive the model.
  DecoderModel(const LlamaConfig& config, const ModelOptions& options, Communicator& tensor_axis);
  ~DecoderModel();

  const LlamaConfig& config() const;
  const ModelOptions& options() const;
  /// Every parameter of this rank, in a fixed order. The tied head stands once, as the embedding.
  std::vector<Parameter>& parameters();
  std::vector<at::Tensor> trainable_parameters();
  /// `hook` is called with the range [begin, end) of parameters() that a forward pass is about to read, and with all of
  /// them by parameters() and prefill(): for who fills them in beside the computation. Null: nobody is.
  void before_use(std::function<void(std::size_t begin, std::size_t end)> hook);
  /// Fills the adapters (and no other parameter); equal for every layout of ranks.
  void initialize_lora(std::uint64_t seed);
  /// Fills everything from N(0, initializer_range), norms with 1, biases with 0; equal for every layout of ranks.
  void initialize_random(std::uint64_t seed);
  /// Dropout is active in training mode only.
  void set_training(bool training);
  /// What dropout drops in a training pass follows from the batch's samples and the pass's number: `number` for the
  /// next, one more for each after it.
  void count_passes_from(std::uint64_t number);

  /// sum_i loss_weights[i] * -log p(loss_targets[i] | row loss_rows[i]): a float32 scalar, differentiable, equal on
  /// every tensor rank. Rows that carry no loss never reach the head.
  ///
  /// A batch with a part of the prefix (PackedBatch::prefix_part) needs the `prefix_group` of those who have the
  /// others, in rank order: a collective call then, in the backward too. Each rank's gradients hold what its rows add
  /// to the sum of all their losses.
  at::Tensor loss_sum(const PackedBatch& batch, Communicator* prefix_group = nullptr);
  /// Logits of the given rows of the packed batch: [N, V] float32, whole on every tensor rank. Not differentiable.
  at::Tensor logits(const PackedBatch& batch, const std::vector<std::int64_t>& rows);

  /// Runs prefix and leaves, stores their keys and values in `cache` (made anew, room for `new_tokens` more per leaf),
  /// and gives the logits after each leaf's last token: [B, V] float32, whole on every tensor rank. No gradient.
  at::Tensor prefill(const PackedBatch& batch, std::int64_t new_tokens, KvCache& cache);
  /// Appends one token per leaf and gives the logits after it: next_ids [B] int64 on any device -> [B, V] float32. On a
  /// GPU a few leaves are decoded by recorded graphs (StaticDecoding).
  at::Tensor decode(const at::Tensor& next_ids, KvCache& cache);
  /// Appends counts[b] >= 1 tokens to each leaf b and gives the logits after every one of them: ids [R] int64 by leaf, R
  /// the sum of the counts -> [R, V] float32. What turns out not to be wanted, KvCache::take_back() forgets. Every leaf
  /// must have room.
  at::Tensor decode_several(const at::Tensor& ids, const std::vector<std::int64_t>& counts, KvCache& cache);
  /// decode() on the cache's whole capacity, without its counting: the lengths stay. Shapes follow from those of its
  /// arguments and the host reads no number from the device, so that a GPU can record it. ids on the model's device.
  at::Tensor decode_step(const at::Tensor& ids, const KvCache& cache);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace entune
