#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "data/tokens/tokenizer.h"

namespace entune {

/// The likeliest token of each row of `logits` [R, V] among its candidates (ascending, at least one), or among all
/// where `candidates` is empty. Of equal ones the first. Candidates are few beside V: no mask of V is made.
std::vector<TokenId> choose_tokens(const at::Tensor& logits, const std::vector<std::span<const TokenId>>& candidates);

}  // namespace entune
