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

/// Elsewhere: gathers those of the candidates alone, and compares them here.
std::vector<TokenId> choose_there(const at::Tensor& logits, const std::vector<std::span<const TokenId>>& candidates) {
  std::vector<std::int64_t> places;
  for (std::size_t row = 0; row < candidates.size(); ++row) {
    for (const TokenId id : candidates[row]) places.push_back(static_cast<std::int64_t>(row) * logits.size(1) + id);
  }
  const at::Tensor index = at::tensor(places, at::kLong).to(logits.device());
  const at::Tensor gathered = logits.reshape(-1).index_select(0, index).to(at::kCPU, at::kFloat);
  const float* of_row = gathered.const_data_ptr<float>();
  std::vector<TokenId> chosen;
  for (const auto& row : candidates) {
    chosen.push_back(row[static_cast<std::size_t>(std::max_element(of_row, of_row + row.size()) - of_row)]);
    of_row += row.size();
  }
  return chosen;
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
