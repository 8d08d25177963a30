#include "trainer/generate/token_choice.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace entune {
namespace {

std::vector<TokenId> to_ids(const at::Tensor& ids) {
  const at::Tensor here = ids.to(at::kCPU);
  const auto* data = here.const_data_ptr<std::int64_t>();
  return {data, data + here.size(0)};
}

/// On the CPU: reads no logit but those of the candidates.
std::vector<TokenId> choose_here(const at::Tensor& logits, const std::vector<std::span<const TokenId>>& candidates) {
  const at::Tensor rows = logits.to(at::kFloat).contiguous();
  std::vector<TokenId> chosen;
  for (std::size_t row = 0; row < candidates.size(); ++row) {
    const float* of_row = rows.const_data_ptr<float>() + static_cast<std::int64_t>(row) * rows.size(1);
    chosen.push_back(*std::ranges::max_element(candidates[row], {}, [&](TokenId id) { return of_row[id]; }));
  }
  return chosen;
}

/// Elsewhere: gathers them, with the first one repeated where a row has fewer than the others.
std::vector<TokenId> choose_there(const at::Tensor& logits, const std::vector<std::span<const TokenId>>& candidates) {
  std::size_t most = 0;
  for (const auto& row : candidates) most = std::max(most, row.size());
  std::vector<std::int64_t> ids;
  for (const auto& row : candidates) {
    ids.insert(ids.end(), row.begin(), row.end());
    ids.resize(ids.size() + most - row.size(), row.front());
  }
  const at::Tensor index = at::tensor(ids, at::kLong).view({-1, static_cast<std::int64_t>(most)}).to(logits.device());
  const at::Tensor best = logits.gather(1, index).argmax(1, /*keepdim=*/true);
  return to_ids(index.gather(1, best).squeeze(1));
}

}  // namespace

std::vector<TokenId> choose_tokens(const at::Tensor& logits, const std::vector<std::span<const TokenId>>& candidates) {
  if (candidates.empty()) return to_ids(logits.argmax(1));
  TORCH_CHECK(static_cast<std::int64_t>(candidates.size()) == logits.size(0) &&
                  std::ranges::none_of(candidates, [](const auto& row) { return row.empty(); }),
              "expected candidates for each of ", logits.size(0), " rows");
  return logits.is_cpu() ? choose_here(logits, candidates) : choose_there(logits, candidates);
}

}  // namespace entune
