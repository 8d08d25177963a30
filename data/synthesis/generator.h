#pragma once

#include <cstdint>
#include <vector>

#include "data/entity.h"

namespace entune {

struct GeneratorOptions {
  std::int64_t count = 2400;  ///< texts
  std::uint64_t seed = 1;
  double empty_fraction = 0.08;  ///< share of texts without entities, in [0, 1]
};

/// Made-up English texts with personal data: templates of many registers (data/synthesis/templates), each text's
/// template as its group, with values combined at random. The templates are used evenly. Same options, same texts, on
/// every machine; of two counts with one seed, the smaller is the beginning of the larger. Entities begin and end at
/// word borders and do not overlap. Throws InputError for a negative count or a fraction out of range.
std::vector<Example> generate_corpus(const GeneratorOptions& options);

/// The labels of those texts, with descriptions, in prompt order.
const LabelList& synthetic_labels();

}  // namespace entune
