#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "distributed/communicator.h"

namespace entune {

struct BucketOptions {
  /// Each rank of the group gets one part of every bucket to update (ZeRO stage 1, Rajbhandari et al. 2020); else all
  /// of it.
  bool shard = false;
  std::int64_t bucket_bytes = std::int64_t{64} << 20;
  /// Reduce during the backward pass and gather during the next forward pass: on a GPU on a stream of their own. The
  /// group's collectives must then be those of the buckets alone.
  bool overlap = false;
};

/// A parameter and its kind: parameters of different kinds or dtypes never share a bucket.
struct BucketedParameter {
  at::Tensor value;
  int kind = 0;
};

/// Trained parameters and their gradients, laid end to end in flat buckets, which are summed over a group of ranks and
/// updated as one tensor each. A parameter's value and grad() are views of its bucket from construction on.
///
/// Buckets are filled from the last parameter to the first, as a backward pass meets them. Each parameter begins at a
/// multiple of 64 elements, each bucket ends at one of 64 R; what lies between is zero and stays zero under any update
/// that keeps zeros.
///
/// One step: zero_gradients(), the backward passes (before the last one expect_last_backward()), reduce(), an update of
/// every part's value by its gradient, gather(). Collective over the group, with the same parameters on every rank.
class ParameterBuckets {
 public:
  /// What this rank updates of one bucket: flat, contiguous tensors [n] of one dtype, views of the bucket.
  struct Part {
    at::Tensor value;
    at::Tensor gradient;  ///< after reduce(): the sum over the group
    int kind;
  };

  /// Where a part holds a parameter, or a piece of it; counted in elements.
  struct Piece {
    std::size_t parameter = 0;  ///< its place in the constructor's list
    std::int64_t begin = 0;     ///< within the parameter, flat
    std::int64_t length = 0;
    std::int64_t offset = 0;  ///< within the part

    bool operator==(const Piece&) const = default;
  };

  /// `group` must outlive the buckets, the buckets every backward pass of their parameters. Throws c10::Error for a
  /// parameter that is not trained.
  ParameterBuckets(const std::vector<BucketedParameter>& parameters, Communicator& group, const BucketOptions& options);
  ~ParameterBuckets();
  ParameterBuckets(const ParameterBuckets&) = delete;
  ParameterBuckets& operator=(const ParameterBuckets&) = delete;

  const std::vector<Part>& parts() const { return parts_; }
  /// What the part of this number holds, in the order of the part; what lies between the pieces is padding.
  std::vector<Piece> pieces(std::size_t part) const;
  bool sharded() const { return options_.shard && group_.size() > 1; }

  void zero_gradients();
  /// From now on a bucket may be reduced once each of its parameters has had a gradient. Without overlap of no effect.
  void expect_last_backward();
  /// Sums in float32 (a bfloat16 sum is rounded once), of which each rank keeps its part.
  void reduce();
  /// Gives every rank the values of all parts. With overlap they are there once await() has returned.
  void gather();
  /// What is queued on the current stream from now on sees the gathered values of these parameters, by their places in
  /// the constructor's list.
  void await(std::size_t begin, std::size_t end);

 private:
  struct Bucket;
  class Arrival;
  struct SideStream;

  std::vector<Bucket> fill_buckets(const std::vector<BucketedParameter>& parameters) const;
  void lay_out(Bucket& bucket, const std::vector<BucketedParameter>& parameters);
  void arrived(std::size_t bucket);
  void reduce_until(std::size_t end);

  Communicator& group_;
  const BucketOptions options_;
  std::vector<at::Tensor> parameters_;
  std::vector<Bucket> buckets_;
  std::vector<std::size_t> bucket_of_;  ///< by parameter
  std::vector<Part> parts_;             ///< by bucket
  std::unique_ptr<SideStream> side_;    ///< null: everything on the current stream
  std::size_t num_reduced_ = 0;         ///< buckets of this step, in their order
  bool last_backward_ = false;
};

}  // namespace entune
