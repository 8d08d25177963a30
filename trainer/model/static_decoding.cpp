#include "trainer/model/static_decoding.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>

namespace entune {
namespace {

/// Each graph holds some memory; prefixes of ever other lengths must not pile them up.
constexpr std::size_t kMostEntries = 32;

std::int64_t rounded_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

/// Powers of two up to 8, then multiples of 8.
std::int64_t leaves_bucket(std::int64_t leaves) {
  if (leaves > 8) return rounded_up(leaves, 8);
  std::int64_t bucket = 1;
  while (bucket < leaves) bucket *= 2;
  return bucket;
}

std::uint64_t unused_pool() {
  static std::atomic<std::uint64_t> next = 0;
  return next++;
}

/// The first rows of [n, K, D] as [B, K, S, D].
at::Tensor as_leaves(const at::Tensor& rows, std::int64_t leaves, std::int64_t capacity) {
  return rows.narrow(0, 0, leaves * capacity).unflatten(0, {leaves, capacity}).transpose(1, 2);
}

}  // namespace

StaticDecoding::Shape StaticDecoding::shape_of(const KvCache& cache) {
  return {leaves_bucket(cache.num_leaves()), rounded_up(cache.capacity, 128), cache.prefix_tokens};
}

bool StaticDecoding::takes(const KvCache& cache) const {
  const bool is_free = place_.use_count() <= 1, is_here = cache.place != nullptr && cache.place == place_;
  return cache.num_leaves() > 0 && cache.num_leaves() <= kMostLeaves && (is_free || is_here);
}

void StaticDecoding::reserve(const Shape& shape, const KvCache& like) {
  const std::int64_t leaf_rows = shape.leaves * shape.capacity;
  const bool fits = leaf_rows <= leaf_rows_ && shape.prefix <= prefix_rows_;
  if (fits && entries_.size() < kMostEntries) return;
  entries_.clear();
  pool_ = unused_pool();
  if (fits) return;
  leaf_rows_ = std::max(leaf_rows, leaf_rows_);
  prefix_rows_ = std::max(shape.prefix, prefix_rows_);
  memory_.clear();  // first, so that there is room for the new
  const at::Tensor& keys = like.layers.front().keys;
  // Zeros: what is masked is multiplied by 0 all the same.
  const auto rows = [&](std::int64_t n) { return at::zeros({n, keys.size(1), keys.size(3)}, keys.options()); };
  for (std::size_t i = 0; i < like.layers.size(); ++i) {
    memory_.push_back({rows(prefix_rows_), rows(prefix_rows_), rows(leaf_rows_), rows(leaf_rows_)});
  }
}

StaticDecoding::Entry& StaticDecoding::entry(const Shape& shape, const KvCache& like) {
  const auto found = entries_.find(shape);
  if (found != entries_.end()) return found->second;
  reserve(shape, like);
  Entry made;
  made.ids = at::zeros({shape.leaves}, like.lengths.options());
  made.cache.lengths = at::zeros_like(made.ids);
  made.cache.prefix_tokens = shape.prefix;
  made.cache.capacity = shape.capacity;
  const at::Tensor& cos = like.rotary.cos;
  made.cache.rotary = {at::zeros({shape.capacity, cos.size(1)}, cos.options()),
                       at::zeros({shape.capacity, cos.size(1)}, cos.options())};
  for (const KvCache::Layer& rows : memory_) {
    KvCache::Layer layer;
    layer.keys = as_leaves(rows.keys, shape.leaves, shape.capacity);
    layer.values = as_leaves(rows.values, shape.leaves, shape.capacity);
    if (shape.prefix > 0) {
      layer.prefix_keys = as_leaves(rows.prefix_keys, 1, shape.prefix);
      layer.prefix_values = as_leaves(rows.prefix_values, 1, shape.prefix);
    }
    made.cache.layers.push_back(std::move(layer));
  }
  return entries_.emplace(shape, std::move(made)).first->second;
}

void StaticDecoding::clear() {
  entries_.clear();
  memory_.clear();
  leaf_rows_ = prefix_rows_ = 0;
}

void StaticDecoding::move_in(KvCache& cache, Entry& entry) {
  const std::int64_t leaves = cache.num_leaves(), capacity = cache.capacity;
  const auto move = [](at::Tensor& from, const at::Tensor& to) {
    if (!from.is_alias_of(to)) from = to.copy_(from);  // a prefix stays when some leaves leave
  };
  for (std::size_t i = 0; i < cache.layers.size(); ++i) {
    KvCache::Layer &from = cache.layers[i], &to = entry.cache.layers[i];
    const auto part = [&](const at::Tensor& x) { return x.narrow(0, 0, leaves).narrow(2, 0, capacity); };
    move(from.keys, part(to.keys));
    move(from.values, part(to.values));
    if (cache.prefix_tokens == 0) continue;
    move(from.prefix_keys, to.prefix_keys);
    move(from.prefix_values, to.prefix_values);
  }
  entry.cache.rotary.cos.narrow(0, 0, capacity).copy_(cache.rotary.cos);
  entry.cache.rotary.sin.narrow(0, 0, capacity).copy_(cache.rotary.sin);
  entry.cache.lengths.zero_();
  cache.place = place_ = std::make_shared<const Shape>();
}

at::Tensor StaticDecoding::decode(const at::Tensor& ids, KvCache& cache) {
  const std::int64_t leaves = cache.num_leaves();
  Entry& entry = this->entry(shape_of(cache), cache);
  if (!cache.layers.front().keys.is_alias_of(entry.cache.layers.front().keys)) move_in(cache, entry);
  entry.ids.narrow(0, 0, leaves).copy_(ids);
  entry.cache.lengths.narrow(0, 0, leaves).copy_(cache.lengths);
  const auto step = [&] { return step_(entry.ids, entry.cache); };
  if (!ids.is_cuda()) return step().narrow(0, 0, leaves);
  if (entry.graph == nullptr) entry.graph = std::make_unique<DecodeGraph>(ids.device(), pool_, step);
  return entry.graph->replay().narrow(0, 0, leaves).clone();  // the next replay overwrites it
}

}  // namespace entune
