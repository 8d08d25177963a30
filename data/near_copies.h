#pragma once

#include <string>
#include <unordered_set>

#include "data/entity.h"

namespace entune {

/// Five words in a row of a text whose entities read <LABEL> and whose runs of digits read 0: what is left of a
/// template when its values are gone. Words are split at white space; of overlapping entities the first is masked.
/// Empty for texts of under five words.
std::unordered_set<std::string> masked_five_grams(const Example& example);

/// Share of the example's masked five-grams that `others` holds, in [0, 1]; 0 if it has none. A half or more on two
/// sides of a split means that one text is a variation of the other.
double shared_five_grams(const Example& example, const std::unordered_set<std::string>& others);

}  // namespace entune
