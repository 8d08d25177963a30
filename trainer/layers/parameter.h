#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/sharding.h"

namespace entune {

/// A parameter as one rank holds it. `name` is Hugging Face's ("model.layers.0.self_attn.q_proj.weight"; an adapter's
/// factors: "model.layers.0.self_attn.q_proj.lora_A.weight", [rank, in], and ".lora_B.weight", [out, rank]).
struct Parameter {
  std::string name;
  at::Tensor value;                      ///< this rank's part; requires_grad if it is trained
  std::vector<std::int64_t> full_shape;  ///< over all ranks of the tensor axis, without padding
  Shard shard;                           ///< which part of full_shape `value` is
  bool is_adapter = false;
  /// Replicated over the tensor axis, but each rank computes only a part of its gradient: summed over the axis once a
  /// step (LoRA's A before a column-parallel layer, its B after a row-parallel one, the norms of q's and k's heads; the
  /// norms of the residual stream where its rows are cut).
  bool partial_gradient = false;
};

}  // namespace entune
