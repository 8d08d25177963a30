#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "distributed/communicator.h"
#include "trainer/kernels/cached_attention.h"
#include "trainer/kernels/packed_attention.h"
#include "trainer/layers/parallel_linear.h"
#include "trainer/layers/residual_rows.h"
#include "trainer/model/decoder_model.h"

namespace entune {

/// What the blocks need to know of the batch that passes through them.
struct BatchContext {
  PackedLayout layout;
  RotaryTables rotary;                   ///< of the batch's rows
  RotaryTables key_rotary;               ///< of the keys: the same, but for a prefix of which a part stands here
  Communicator* prefix_group = nullptr;  ///< ranks that hold the prefix's parts, in order; null: it stands here whole
  std::optional<std::uint64_t> dropout_seed;  ///< absent: no dropout
  std::optional<std::int64_t> cut_rows;       ///< of ResidualRows
  bool checkpoint_mlp = false;                ///< keep nothing of the part after attention but its input
};

/// The residual stream between blocks: x, and the last block's output, which the next norm adds to it (undefined:
/// nothing to add).
struct Residual {
  at::Tensor x, branch;
};

/// One decoder block: x += attention(norm(x)); x += mlp(norm(x)).
class DecoderBlock {
 public:
  DecoderBlock(const LlamaConfig& config, const ModelOptions& options, std::int64_t index, Communicator& tensor_axis);

  void collect(std::vector<Parameter>& parameters) const;

  /// Differentiable. If `rows` is defined (int64 indices), everything after attention, which mixes rows, is done for
  /// these rows alone.
  Residual forward(const Residual& input, const BatchContext& batch, const at::Tensor& rows) const;

  /// forward() without gradient, which also gives the rotated keys and the values, [T, K, D].
  Residual prefill(const Residual& input, const BatchContext& batch, const at::Tensor& rows, at::Tensor& keys,
                   at::Tensor& values) const;
  /// One token a leaf: writes its key and value at cache.lengths - 1 of each leaf's row.
  Residual decode(const Residual& input, const RotaryTables& rotary, const CachedKeys& cache) const;

 private:
  struct Heads {
    at::Tensor q, k, v;  ///< [T, H, D], [T, K, D]
  };
  Heads heads(at::Tensor& x, const Residual& input, const BatchContext& batch) const;
  /// The part after attention.
  Residual finish(at::Tensor x, at::Tensor attended, const at::Tensor& rows, const BatchContext& batch) const;
  at::Tensor mlp(const at::Tensor& normed, const ResidualRows& stream, std::optional<std::uint64_t> dropout_seed) const;

  Communicator& group_;
  double eps_;
  std::int64_t head_dim_;
  std::optional<std::int64_t> sliding_window_;
  Parameter input_norm_, attention_norm_;
  std::optional<Parameter> q_norm_, k_norm_;
  ParallelLinear q_proj_, k_proj_, v_proj_, o_proj_, gate_proj_, up_proj_, down_proj_;
};

/// rms_norm of a residual stream: adds the branch first. Returns {x + branch, norm}.
std::pair<at::Tensor, at::Tensor> normalize(const Residual& residual, const at::Tensor& weight, double eps);

/// The weight [size] of a norm, whole on every rank. `normalizes_part`: a rank normalizes a part only of what there is
/// (its heads, its rows of the residual stream), so its gradient is partial.
Parameter make_norm(const std::string& name, std::int64_t size, const ModelOptions& options, bool normalizes_part);

}  // namespace entune
