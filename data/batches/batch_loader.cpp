#include "data/batches/batch_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "data/random.h"

namespace entune {
namespace {

std::int64_t size_of(const EncodedSample& sample) { return static_cast<std::int64_t>(sample.ids.size()); }
/// Tokens that the model computes if the sample stands alone: the last one is a target alone.
std::int64_t executed_alone(const EncodedSample& sample) { return size_of(sample) - 1; }
std::int64_t answer_tokens(const EncodedSample& sample) { return size_of(sample) - sample.answer_start; }

std::span<const TokenId> inputs_of(const EncodedSample& sample) {
  return std::span(sample.ids).first(sample.ids.size() - 1);
}

/// The samples of one variant within a step, and what they all share.
struct Variant {
  std::vector<std::size_t> samples;
  std::int64_t prefix_tokens = 0;
};

/// Tokens that the model computes for `count` samples which have `tokens_alone` on their own and share `prefix`.
std::int64_t executed_tokens(std::int64_t tokens_alone, std::int64_t prefix, std::size_t count) {
  return tokens_alone - prefix * (static_cast<std::int64_t>(count) - 1);
}

/// A micro-batch in the making.
struct OpenBatch {
  std::vector<std::size_t> samples;
  std::int64_t prefix_tokens = 0;  // that they share; while there is one sample: that it could
  std::int64_t tokens_alone = 0;   // as if nothing were shared
};

}  // namespace

BatchLoader::BatchLoader(const std::vector<TrainingSample>& samples, BatchOptions options, std::uint64_t seed,
                         std::int64_t rank, std::int64_t size)
    : samples_(samples), options_(options), seed_(seed), rank_(rank), size_(size) {
  if (options.global_batch < 1 || size < 1 || rank < 0 || rank >= size)
    throw std::invalid_argument("BatchLoader: no such rank or batch");
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const EncodedSample& sample = samples[i].tokens;
    if (sample.answer_start < 1 || answer_tokens(sample) < 1) {
      throw std::invalid_argument(fmt::format("BatchLoader: sample {} has no prompt or no answer", i));
    }
  }
}

std::int64_t BatchLoader::steps_per_epoch() const {
  return (static_cast<std::int64_t>(samples_.size()) + options_.global_batch - 1) / options_.global_batch;
}

std::vector<std::size_t> BatchLoader::sample_order(std::int64_t epoch, std::int64_t step) const {
  if (epoch < 0 || step < 0 || step >= steps_per_epoch()) throw std::out_of_range("BatchLoader: no such step");
  // The epoch's stream starts at a number drawn from the seed's: neighbouring seeds and epochs have nothing in common.
  Random random(Random(Random(seed_).next() + static_cast<std::uint64_t>(epoch)).next());
  std::vector<std::size_t> order(samples_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  random.shuffle(order);
  const std::int64_t begin = step * options_.global_batch;
  const std::int64_t end = std::min(begin + options_.global_batch, static_cast<std::int64_t>(order.size()));
  return {order.begin() + begin, order.begin() + end};
}

namespace {

std::map<std::int64_t, Variant> group_by_variant(const std::vector<TrainingSample>& samples,
                                                 const std::vector<std::size_t>& chosen, bool share) {
  std::map<std::int64_t, Variant> variants;
  for (const std::size_t i : chosen) variants[samples[i].variant].samples.push_back(i);
  for (auto& [name, variant] : variants) {
    if (!share) continue;
    std::vector<const EncodedSample*> encoded;
    for (const std::size_t i : variant.samples) encoded.push_back(&samples[i].tokens);
    variant.prefix_tokens = shared_prefix_tokens(encoded);
  }
  return variants;
}

/// Samples of each rank: the longest first, each to the rank that then has least to compute (the prefix counts where it
/// comes in for the first time); of equal ranks the lowest.
std::vector<std::vector<std::size_t>> deal(const std::vector<TrainingSample>& samples,
                                           const std::map<std::int64_t, Variant>& variants, std::int64_t num_ranks) {
  struct Item {
    std::int64_t leaf_tokens;
    std::int64_t variant;
    std::size_t sample;
  };
  std::vector<Item> items;
  for (const auto& [name, variant] : variants) {
    for (const std::size_t i : variant.samples)
      items.push_back({executed_alone(samples[i].tokens) - variant.prefix_tokens, name, i});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.leaf_tokens > b.leaf_tokens; });

  std::vector<std::vector<std::size_t>> dealt(static_cast<std::size_t>(num_ranks));
  std::vector<std::int64_t> load(dealt.size());
  std::vector<std::map<std::int64_t, bool>> has_prefix(dealt.size());
  for (const Item& item : items) {
    const auto load_with_it = [&](std::size_t rank) {
      return load[rank] + item.leaf_tokens +
             (has_prefix[rank].contains(item.variant) ? 0 : variants.at(item.variant).prefix_tokens);
    };
    std::size_t best = 0;
    for (std::size_t rank = 1; rank < dealt.size(); ++rank) {
      if (load_with_it(rank) < load_with_it(best)) best = rank;
    }
    load[best] = load_with_it(best);
    has_prefix[best][item.variant] = true;
    dealt[best].push_back(item.sample);
  }
  return dealt;
}

/// Splits samples of one variant (longest first) into micro-batches: each goes into the first that has room for it.
std::vector<std::vector<std::size_t>> fill(const std::vector<TrainingSample>& samples,
                                           const std::vector<std::size_t>& chosen, const BatchOptions& options) {
  std::vector<OpenBatch> open;
  for (const std::size_t i : chosen) {
    const EncodedSample& sample = samples[i].tokens;
    bool placed = false;
    for (OpenBatch& batch : open) {
      const std::int64_t prefix = options.prefix_sharing
                                      ? common_prefix_tokens({samples[batch.samples.front()].tokens.ids, sample.ids},
                                                             std::min(batch.prefix_tokens, sample.answer_start - 1))
                                      : 0;
      const std::int64_t tokens = batch.tokens_alone + executed_alone(sample);
      if (executed_tokens(tokens, prefix, batch.samples.size() + 1) > options.micro_batch_tokens) continue;
      batch.samples.push_back(i);
      batch.prefix_tokens = prefix;
      batch.tokens_alone = tokens;
      placed = true;
      break;
    }
    if (!placed) open.push_back({{i}, sample.answer_start - 1, executed_alone(sample)});
  }
  std::vector<std::vector<std::size_t>> filled;
  for (OpenBatch& batch : open) filled.push_back(std::move(batch.samples));
  return filled;
}

/// The prefix that every sample begins with, and which rows of it stand in the batch.
struct PackedPrefix {
  std::int64_t tokens = 0;
  std::optional<PrefixPart> part;
};

std::vector<std::size_t> of_variant(const std::vector<TrainingSample>& samples, const std::vector<std::size_t>& chosen,
                                    std::int64_t variant) {
  std::vector<std::size_t> selected;
  for (const std::size_t i : chosen) {
    if (samples[i].variant == variant) selected.push_back(i);
  }
  return selected;
}

/// The prefix of all samples of the step and the rank's even part of it (what does not divide goes to the leaves);
/// nothing where it must not be split or that would not pay, which every rank finds alike.
std::optional<PackedPrefix> split_prefix(const std::vector<TrainingSample>& samples,
                                         const std::map<std::int64_t, Variant>& variants,
                                         const std::vector<std::vector<std::size_t>>& dealt, std::int64_t rank,
                                         const BatchOptions& options) {
  const auto num_ranks = static_cast<std::int64_t>(dealt.size());
  if (num_ranks == 1 || variants.size() != 1 || options.prompt_weight > 0.0) return {};
  const std::int64_t whole = variants.begin()->second.prefix_tokens, rows = whole / num_ranks;
  if (rows == 0) return {};
  std::optional<std::size_t> micro_batches;
  for (const std::vector<std::size_t>& share : dealt) {
    const std::vector<std::vector<std::size_t>> groups = fill(samples, share, options);
    if (groups.empty() || groups.size() != micro_batches.value_or(groups.size())) return {};
    micro_batches = groups.size();
    for (const std::vector<std::size_t>& group : groups) {
      // What every leaf takes of the remainder must not outweigh the rows that are saved.
      if (std::ssize(group) * (whole % num_ranks) >= whole - rows) return {};
    }
  }
  return PackedPrefix{rows * num_ranks, PrefixPart{rank * rows, rows}};
}

PackedBatch pack_behind(const PackedPrefix& prefix, const std::vector<TrainingSample>& samples,
                        const std::vector<std::size_t>& chosen, double prompt_weight) {
  std::vector<std::span<const TokenId>> inputs;
  for (const std::size_t i : chosen) inputs.push_back(inputs_of(samples[i].tokens));
  PackedBatch batch = lay_out(inputs, prefix.tokens, prefix.part);
  batch.samples = chosen;

  const auto supervise = [&](std::int64_t row, TokenId target, double weight) {
    batch.loss_rows.push_back(row);
    batch.loss_targets.push_back(target);
    batch.loss_weights.push_back(static_cast<float>(weight));
  };
  if (prompt_weight > 0.0) {  // each prefix token stands in for that of every leaf
    for (std::int64_t i = 1; i < prefix.tokens; ++i) {
      supervise(i - 1, inputs.front()[static_cast<std::size_t>(i)], prompt_weight * static_cast<double>(inputs.size()));
    }
  }
  for (std::size_t leaf = 0; leaf < chosen.size(); ++leaf) {
    const EncodedSample& sample = samples[chosen[leaf]].tokens;
    const std::int64_t first = prompt_weight > 0.0 ? std::max<std::int64_t>(prefix.tokens, 1) : sample.answer_start;
    for (std::int64_t i = first; i < size_of(sample); ++i) {
      // Token i - 1 predicts token i: a row of the leaf, or the last one of the prefix.
      const std::int64_t row = i - 1 < prefix.tokens ? i - 1 : batch.leaf_offsets[leaf] + i - 1 - prefix.tokens;
      supervise(row, sample.ids[static_cast<std::size_t>(i)], i >= sample.answer_start ? 1.0 : prompt_weight);
    }
  }
  return batch;
}

}  // namespace

StepBatches BatchLoader::load(std::int64_t epoch, std::int64_t step) const {
  const std::vector<std::size_t> chosen = sample_order(epoch, step);
  StepBatches result;
  for (const std::size_t i : chosen) {
    const EncodedSample& sample = samples_[i].tokens;
    result.weight_sum += static_cast<double>(answer_tokens(sample)) +
                         options_.prompt_weight * static_cast<double>(sample.answer_start - 1);
  }
  const auto variants = group_by_variant(samples_, chosen, options_.prefix_sharing);
  const std::vector<std::vector<std::size_t>> dealt = deal(samples_, variants, size_);
  const std::vector<std::size_t>& mine = dealt[static_cast<std::size_t>(rank_)];
  const std::optional<PackedPrefix> split = split_prefix(samples_, variants, dealt, rank_, options_);
  for (const auto& [name, variant] : variants) {
    for (const std::vector<std::size_t>& group : fill(samples_, of_variant(samples_, mine, name), options_)) {
      result.micro_batches.push_back(split ? pack_behind(*split, samples_, group, 0.0)
                                           : pack(samples_, group, options_.prefix_sharing, options_.prompt_weight));
      result.tokens.executed += result.micro_batches.back().executed_tokens();
    }
  }
  for (const std::size_t i : mine) {
    result.tokens.logical += size_of(samples_[i].tokens);
    result.tokens.supervised += answer_tokens(samples_[i].tokens);
  }
  result.num_samples = static_cast<std::int64_t>(mine.size());
  return result;
}

std::int64_t shared_prefix_tokens(const std::vector<const EncodedSample*>& samples) {
  if (samples.size() < 2) return 0;
  std::vector<std::span<const TokenId>> sequences;
  std::int64_t limit = samples.front()->answer_start - 1;
  for (const EncodedSample* sample : samples) {
    sequences.emplace_back(sample->ids);
    limit = std::min(limit, sample->answer_start - 1);
  }
  return common_prefix_tokens(sequences, limit);
}

PackedBatch pack(const std::vector<TrainingSample>& samples, const std::vector<std::size_t>& chosen, bool share,
                 double prompt_weight) {
  std::vector<const EncodedSample*> encoded;
  for (const std::size_t i : chosen) encoded.push_back(&samples[i].tokens);
  return pack_behind({share ? shared_prefix_tokens(encoded) : 0, {}}, samples, chosen, prompt_weight);
}

}  // namespace entune
