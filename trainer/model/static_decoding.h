#pragma once

#include <ATen/core/Tensor.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "trainer/model/decode_graph.h"
#include "trainer/model/kv_cache.h"

namespace entune {

/// Decoding of a few leaves in memory that stays where it is and in few shapes: leaves and capacity are rounded up, what
/// a leaf does not hold is masked by its length, and leaves that do not exist hold nothing. On a GPU the step of each
/// shape is recorded once, over all batches, and replayed; elsewhere it is called.
///
/// For at most kMostLeaves: a step of a 7B model is about 1,500 launches of 3-5 us, and with so few leaves reading the
/// weights and caches takes the GPU less than that (3-4 ms on an H200: derived, not measured). With more of them attention
/// and the head outlast the launches, and what is rounded up grows with the leaves.
class StaticDecoding {
 public:
  static constexpr std::int64_t kMostLeaves = 64;
  /// DecoderModel::decode_step.
  using Step = std::function<at::Tensor(const at::Tensor& ids, const KvCache& cache)>;

  explicit StaticDecoding(Step step) : step_(std::move(step)) {}

  /// Whether the cache may be decoded here: few leaves, and no other cache that is still held lies here.
  bool takes(const KvCache& cache) const;
  /// The logits [B, V] after one more token a leaf. The cache's keys and values are moved here at the first call; its
  /// lengths are left to the caller.
  at::Tensor decode(const at::Tensor& ids, KvCache& cache);
  /// Gives memory and recordings back. A cache that lies here can go on: it is moved in again.
  void clear();

 private:
  struct Shape {
    std::int64_t leaves, capacity, prefix;
    auto operator<=>(const Shape&) const = default;
  };
  struct Entry {
    at::Tensor ids;  ///< [leaves]
    KvCache cache;
    std::unique_ptr<DecodeGraph> graph;
  };

  static Shape shape_of(const KvCache& cache);
  /// What decodes caches of the shape, views of the memory; `like` has its heads and types.
  Entry& entry(const Shape& shape, const KvCache& like);
  /// Room for leaves * capacity and prefix rows. Where it has to grow, everything recorded goes.
  void reserve(const Shape& shape, const KvCache& like);
  void move_in(KvCache& cache, Entry& entry);

  Step step_;
  std::vector<KvCache::Layer> memory_;  ///< rows [n, K, D], of prefix and leaves
  std::int64_t leaf_rows_ = 0, prefix_rows_ = 0;
  std::map<Shape, Entry> entries_;
  std::shared_ptr<const void> place_;  ///< of the cache that lies here
  std::uint64_t pool_ = 0;
};

}  // namespace entune
