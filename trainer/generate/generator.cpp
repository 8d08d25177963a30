#include "trainer/generate/generator.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "trainer/generate/token_choice.h"
#include "trainer/telemetry/pulse.h"

namespace entune {
namespace {

/// Finished leaves leave the cache when they are more than one in eight: taking some out copies the rest, which costs
/// about what one in eight costs in a few steps.
constexpr std::size_t kMaxFinishedShare = 8;
/// Tokens proposed for an answer: as many as twice what the last pass accepted, between these.
constexpr std::size_t kFewestDrafted = 4;
constexpr std::size_t kMostDrafted = 24;
/// Rows of a pass: each is one of [rows, vocabulary] logits.
constexpr std::size_t kMostRows = 1024;

}  // namespace

GenerationStats& GenerationStats::operator+=(const GenerationStats& other) {
  std::vector<std::int64_t> sum = counts();
  const std::vector<std::int64_t> added = other.counts();
  std::ranges::transform(sum, added, sum.begin(), std::plus{});
  return *this = of_counts(sum);
}

std::vector<std::int64_t> GenerationStats::counts() const {
  return {prompt_tokens, generated_tokens, forward_passes, answer_passes, drafted_tokens, accepted_tokens};
}

GenerationStats GenerationStats::of_counts(std::span<const std::int64_t> counts) {
  TORCH_CHECK(counts.size() == 6, "generation: expected 6 counts, found ", counts.size());
  return {counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
}

/// One answer of a batch, by row of the cache.
struct Generator::Leaf {
  std::size_t request = 0;
  GeneratedAnswer* answer = nullptr;
  bool done = false;
  GrammarPoints points{};        ///< of the constraint, behind what is written
  std::int64_t num_rows = 0;     ///< of the cache that the last pass filled
  std::vector<TokenId> draft{};  ///< verified by the pass under way
  std::size_t most_drafted = 2 * kFewestDrafted;
  std::size_t num_accepted = 0;  ///< of the draft, by the last pass
};

Generator::Generator(DecoderModel& model, std::vector<TokenId> stop_ids, GenerationOptions options)
    : model_(model), stop_ids_(std::move(stop_ids)), options_(options) {
  std::ranges::sort(stop_ids_);
}

bool Generator::is_stop(TokenId id) const { return std::ranges::binary_search(stop_ids_, id); }

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

/// What may come next, ascending: tokens behind which the answer can still be whole within its limit.
std::vector<TokenId> Generator::candidates(const GenerationRequest& request, const GrammarPoints& points,
                                           std::size_t num_written) const {
  const AllowedTokens& allowed = request.constraint->allowed(points);
  const std::int64_t left = request.max_new_tokens - static_cast<std::int64_t>(num_written) - 2;  // it, and the stop
  std::vector<TokenId> result;
  if (allowed.most_to_end <= left) {
    result = allowed.ids;
  } else {
    for (std::size_t i = 0; i < allowed.ids.size(); ++i) {
      if (allowed.tokens_to_end[i] <= left) result.push_back(allowed.ids[i]);
    }
  }
  if (allowed.may_stop) {
    result.insert(result.end(), stop_ids_.begin(), stop_ids_.end());
    std::ranges::sort(result);
  }
  return result;
}

/// Takes the likeliest tokens of a pass in which each leaf has a row behind what is written and behind each token of
/// its draft. Finished leaves have a row that nobody reads. What is allowed is found before the logits are looked at:
/// meanwhile a GPU works on the pass.
void Generator::read_logits(const at::Tensor& logits, const std::vector<GenerationRequest>& requests,
                            std::vector<Leaf>& leaves) {
  std::vector<std::vector<TokenId>> allowed;
  for (const Leaf& leaf : leaves) {
    const GenerationRequest& request = requests[leaf.request];
    if (!request.constraint) continue;
    GrammarPoints points = leaf.points;
    for (std::size_t i = 0; i <= leaf.draft.size(); ++i) {
      std::vector<TokenId> ids;
      if (!leaf.done && !points.empty()) ids = candidates(request, points, leaf.answer->ids.size() + i);
      // Whatever is taken can be finished; behind a token of the draft that is not taken, nothing may follow.
      TORCH_CHECK(!ids.empty() || leaf.done || i > 0, "generation: no token may follow on those of request ",
                  leaf.request, ", which has a limit of ", request.max_new_tokens);
      if (ids.empty()) ids = {0};
      allowed.push_back(std::move(ids));
      if (i < leaf.draft.size()) points = request.constraint->after(points, leaf.draft[i]);
    }
  }
  const std::vector<TokenId> chosen = choose_tokens(logits, {allowed.begin(), allowed.end()});
  std::size_t row = 0;
  for (Leaf& leaf : leaves) {
    const std::size_t num_rows = leaf.draft.size() + 1;
    if (!leaf.done) accept(requests[leaf.request], leaf, std::span(chosen).subspan(row, num_rows));
    row += num_rows;
  }
}

/// `chosen` is what follows on what is written, and on each token of the draft: it goes as far as the two agree.
void Generator::accept(const GenerationRequest& request, Leaf& leaf, std::span<const TokenId> chosen) {
  ++stats_.answer_passes;
  leaf.num_accepted = 0;
  for (std::size_t i = 0; i < chosen.size() && !leaf.done; ++i) {
    const TokenId id = chosen[i];
    const bool is_drafted = i < leaf.draft.size() && leaf.draft[i] == id;
    ++stats_.generated_tokens;
    if (is_drafted) ++stats_.accepted_tokens;
    if (is_stop(id)) {
      leaf.done = true;
      break;
    }
    leaf.answer->ids.push_back(id);
    if (request.constraint) leaf.points = request.constraint->after(leaf.points, id);
    leaf.answer->hit_max_tokens = static_cast<std::int64_t>(leaf.answer->ids.size()) == request.max_new_tokens;
    leaf.done = leaf.answer->hit_max_tokens;
    if (!is_drafted) break;
    ++leaf.num_accepted;
  }
  leaf.most_drafted = std::clamp(2 * leaf.num_accepted, kFewestDrafted, kMostDrafted);
}

/// Nothing beyond the answer's limit: the cache has room up to there.
void Generator::propose(const GenerationRequest& request, Leaf& leaf, std::size_t most) const {
  leaf.draft.clear();
  if (!request.draft || leaf.done) return;
  const auto left = static_cast<std::size_t>(request.max_new_tokens) - leaf.answer->ids.size();
  most = std::min({most, leaf.most_drafted, left - 1});
  leaf.draft = request.draft(leaf.answer->ids, most);
  if (leaf.draft.size() > most) leaf.draft.resize(most);
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

  const bool has_drafts =
      std::ranges::any_of(batch.requests, [&](std::size_t i) { return requests[i].draft != nullptr; });
  std::vector<Leaf> leaves;
  for (const std::size_t i : batch.requests) {
    leaves.push_back({.request = i, .answer = &answers[i]});
    if (requests[i].constraint) leaves.back().points = requests[i].constraint->start();
  }
  while (true) {
    const auto num_done = [&] { return std::ranges::count(leaves, true, &Leaf::done); };
    const std::ptrdiff_t done_before = num_done();
    read_logits(logits, requests, leaves);
    for (std::ptrdiff_t i = done_before; i < num_done(); ++i) finished();
    for (const Leaf& leaf : leaves) {
      if (leaf.done && requests[leaf.request].constraint) requests[leaf.request].constraint->forget();
    }

    std::vector<std::int64_t> going, refused;
    for (std::size_t row = 0; row < leaves.size(); ++row) {
      Leaf& leaf = leaves[row];
      if (!leaf.done) going.push_back(static_cast<std::int64_t>(row));
      // A finished leaf stays as long as it is: others may go on for longer than the cache has room for it.
      refused.push_back(leaf.done ? leaf.num_rows : static_cast<std::int64_t>(leaf.draft.size() - leaf.num_accepted));
    }
    if (going.empty()) return;
    if (has_drafts) cache.take_back(refused);
    if ((leaves.size() - going.size()) * kMaxFinishedShare > leaves.size()) {
      cache.keep(at::tensor(going, at::kLong));
      std::vector<Leaf> kept;
      for (const std::int64_t row : going) kept.push_back(std::move(leaves[static_cast<std::size_t>(row)]));
      leaves = std::move(kept);
    }

    std::vector<std::int64_t> ids, counts;
    const std::size_t most_drafted = std::max(kMostRows / leaves.size(), std::size_t{1}) - 1;
    for (Leaf& leaf : leaves) {
      propose(requests[leaf.request], leaf, most_drafted);
      stats_.drafted_tokens += static_cast<std::int64_t>(leaf.draft.size());
      ids.push_back(leaf.answer->ids.empty() ? 0 : leaf.answer->ids.back());
      ids.insert(ids.end(), leaf.draft.begin(), leaf.draft.end());
      leaf.num_rows = static_cast<std::int64_t>(leaf.draft.size()) + 1;
      counts.push_back(leaf.num_rows);
    }
    const at::Tensor next = at::tensor(ids, at::kLong);
    logits = ids.size() == leaves.size() ? model_.decode(next, cache) : model_.decode_several(next, counts, cache);
    beat();
    ++stats_.forward_passes;
  }
}

}  // namespace entune
