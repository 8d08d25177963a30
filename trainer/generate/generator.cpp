#include "trainer/generate/generator.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <span>
#include <utility>

#include "trainer/telemetry/pulse.h"

namespace entune {
namespace {

/// Finished leaves leave the cache when they are more than one in eight: taking some out copies the rest, which costs
/// about what one in eight costs in a few steps.
constexpr std::size_t kMaxFinishedShare = 8;

std::vector<std::int64_t> greedy(const at::Tensor& logits) {
  const at::Tensor best = logits.argmax(1).to(at::kCPU);  // the first of equal ones
  const auto* data = best.const_data_ptr<std::int64_t>();
  return {data, data + best.size(0)};
}

}  // namespace

Generator::Generator(DecoderModel& model, std::vector<TokenId> stop_ids, GenerationOptions options)
    : model_(model), stop_ids_(std::move(stop_ids)), options_(options) {}

std::vector<GeneratedAnswer> Generator::generate(const std::vector<GenerationRequest>& requests,
                                                 const std::function<void(std::int64_t)>& progress) {
  std::vector<GeneratedAnswer> answers(requests.size());
  std::int64_t num_finished = 0;
  const auto finished = [&] {
    ++num_finished;
    if (progress) progress(num_finished);
  };
  for (const GenerationBatch& batch : plan_generation(requests, options_.batch_tokens))
    run_batch(requests, batch, answers, finished);
  return answers;
}

void Generator::run_batch(const std::vector<GenerationRequest>& requests, const GenerationBatch& batch,
                          std::vector<GeneratedAnswer>& answers, const std::function<void()>& finished) {
  std::vector<std::span<const TokenId>> prompts;
  for (const std::size_t i : batch.requests) prompts.emplace_back(requests[i].ids);
  PackedBatch packed = lay_out(prompts, batch.prefix_tokens);
  packed.samples = batch.requests;

  KvCache cache;
  at::Tensor logits = model_.prefill(packed, batch.max_new_tokens - 1, cache);
  ++stats_.forward_passes;
  stats_.prompt_tokens += packed.executed_tokens();

  struct Leaf {
    std::size_t request;
    bool done = false;
  };
  std::vector<Leaf> leaves;  // by row of the cache
  for (const std::size_t i : batch.requests) leaves.push_back({i});
  while (true) {
    std::vector<std::int64_t> next = greedy(logits);
    for (std::size_t row = 0; row < leaves.size(); ++row) {
      Leaf& leaf = leaves[row];
      if (leaf.done) continue;
      ++stats_.generated_tokens;
      GeneratedAnswer& answer = answers[leaf.request];
      const auto id = static_cast<TokenId>(next[row]);
      if (std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end()) {
        leaf.done = true;
      } else {
        answer.ids.push_back(id);
        answer.hit_max_tokens = static_cast<std::int64_t>(answer.ids.size()) == requests[leaf.request].max_new_tokens;
        leaf.done = answer.hit_max_tokens;
      }
      if (leaf.done) finished();
    }

    std::vector<std::int64_t> going;
    for (std::size_t row = 0; row < leaves.size(); ++row) {
      if (!leaves[row].done) going.push_back(static_cast<std::int64_t>(row));
    }
    if (going.empty()) return;
    if ((leaves.size() - going.size()) * kMaxFinishedShare > leaves.size()) {
      cache.keep(at::tensor(going, at::kLong));
      std::vector<Leaf> kept_leaves;
      std::vector<std::int64_t> kept_next;
      for (const std::int64_t row : going) {
        kept_leaves.push_back(leaves[static_cast<std::size_t>(row)]);
        kept_next.push_back(next[static_cast<std::size_t>(row)]);
      }
      leaves = std::move(kept_leaves);
      next = std::move(kept_next);
    }
    logits = model_.decode(at::tensor(next, at::kLong), cache);
    beat();
    ++stats_.forward_passes;
  }
}

}  // namespace entune
