#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "trainer/generate/generator.h"

namespace entune {
namespace {

std::int64_t size_of(const GenerationRequest& request) { return static_cast<std::int64_t>(request.ids.size()); }

/// A batch of `batch`'s requests and one more.
GenerationBatch with(const GenerationBatch& batch, std::size_t added, const std::vector<GenerationRequest>& requests) {
  GenerationBatch grown = batch;
  grown.requests.push_back(added);
  const GenerationRequest& request = requests[added];
  grown.max_new_tokens = std::max(batch.max_new_tokens, request.max_new_tokens);
  std::int64_t longest = size_of(request);
  if (batch.requests.empty()) {
    grown.prefix_tokens = 0;  // nobody to share with
  } else {
    const GenerationRequest& first = requests[batch.requests.front()];
    const std::int64_t shared_before = batch.requests.size() == 1 ? size_of(first) - 1 : batch.prefix_tokens;
    grown.prefix_tokens = common_prefix_tokens({first.ids, request.ids}, std::min(shared_before, size_of(request) - 1));
    longest = std::max(longest, batch.prefix_tokens + batch.leaf_tokens);
  }
  grown.leaf_tokens = longest - grown.prefix_tokens;
  return grown;
}

}  // namespace

std::vector<GenerationBatch> plan_generation(const std::vector<GenerationRequest>& requests,
                                             std::int64_t batch_tokens) {
  for (const GenerationRequest& request : requests) {
    if (request.ids.empty() || request.max_new_tokens < 1)
      throw std::invalid_argument("generation: a request without a prompt or room for an answer");
  }
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto room = [&](std::size_t i) { return size_of(requests[i]) + requests[i].max_new_tokens; };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return room(a) > room(b); });

  std::vector<GenerationBatch> batches;
  GenerationBatch open;
  for (const std::size_t i : order) {
    GenerationBatch grown = with(open, i, requests);
    if (!open.requests.empty() && grown.cached_tokens() > batch_tokens) {
      batches.push_back(std::move(open));
      grown = with({}, i, requests);
    }
    open = std::move(grown);
  }
  if (!open.requests.empty()) batches.push_back(std::move(open));
  return batches;
}

}  // namespace entune
