#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

namespace entune {

enum class ReduceOp { sum, max };

/// Collectives on tensors within one group of ranks. Every call is collective: all ranks of the group make the same
/// calls in the same order, with tensors of the same shape and dtype. Tensors are contiguous; float32, float64,
/// bfloat16, int64 and uint8. A bfloat16 tensor is reduced in float32 and rounded once. A reduction gives every rank
/// the same bits. A tensor without elements moves nothing. Policy (buckets, shards, what is a gradient) lives above.
///
/// Tensors lie on the CPU, or on the GPU that the group was made for (nccl_communicator.h): there a call returns once
/// it is queued on the current stream.
///
/// Calls on the groups of one process never overlap in time, but need not all come from one thread.
///
/// Errors: broken preconditions by TORCH_CHECK, failures of the transport as std::runtime_error. After either the group
/// is unusable.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// In place.
  virtual void all_reduce(at::Tensor& tensor, ReduceOp op) = 0;
  /// input [n, ...] of every rank -> output [R * n, ...], in rank order. The two do not overlap.
  virtual void all_gather(at::Tensor& output, const at::Tensor& input) = 0;
  /// input [R * n, ...] -> output [n, ...]: this rank's part of the sum over ranks. The two do not overlap.
  virtual void reduce_scatter(at::Tensor& output, const at::Tensor& input) = 0;
  virtual void broadcast(at::Tensor& tensor, int root) = 0;
  virtual void barrier() = 0;
  /// The ranks that give the same color (not negative) form a new group, ordered by (key, rank).
  virtual std::unique_ptr<Communicator> split(int color, int key) = 0;
  /// The ranks that run on this rank's machine, in rank order. All of them where the transport knows of one machine
  /// only.
  virtual std::unique_ptr<Communicator> split_by_machine() { return split(0, rank()); }
};

/// A group of one: every collective is the identity.
std::unique_ptr<Communicator> make_self_communicator();

/// The sum or the largest of every rank's `value`, on every rank.
double over_ranks(Communicator& group, double value, ReduceOp op);
/// `bytes` of every rank, in rank order, on every rank. Lengths may differ.
std::vector<std::string> all_gather_bytes(Communicator& group, const std::string& bytes);
/// `bytes` of `root` on every rank.
std::string broadcast_bytes(Communicator& group, const std::string& bytes, int root);

}  // namespace entune
