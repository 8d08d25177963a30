#pragma once

#include <ATen/core/Tensor.h>

#include "distributed/communicator.h"
#include "distributed/sharding.h"
#include "trainer/layers/residual_rows.h"

namespace entune {

// The vocabulary is cut by rows over a group of ranks; V need not divide (distributed/sharding.h): the last ranks'
// padding rows take part in nothing.

/// Rows `ids` [T] of the embedding whose part is weight [V_part, C]: [T, C] as the residual stream is held.
/// Differentiable in weight.
at::Tensor vocab_parallel_embedding(const at::Tensor& ids, const at::Tensor& weight, std::int64_t vocab_size,
                                    const Shard& shard, const ResidualRows& stream);

/// sum_i weights[i] * -log softmax(hidden_i W^T)[targets[i]]: a float32 scalar, equal on every rank. hidden [N, C] as
/// the residual stream is held, W's part [V_part, C], targets [N] int64, weights [N] float32. Differentiable in hidden
/// and W. Logits exist for a few rows at a time, never [N, V]; their gradients are made in the forward, as the
/// gradients of hidden and (if trained) W.
at::Tensor vocab_parallel_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                                        const at::Tensor& weights, std::int64_t vocab_size, const Shard& shard,
                                        const ResidualRows& stream);

/// hidden W^T of whole rows, [N, V] float32, whole on every rank. No gradient.
at::Tensor vocab_parallel_logits(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size,
                                 const Shard& shard, Communicator& group);

}  // namespace entune
