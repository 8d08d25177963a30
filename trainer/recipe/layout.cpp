#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/input_error.h"
#include "trainer/recipe/recipe.h"

namespace entune {
namespace {

/// Sizes of the tensor axis that divide heads, kv heads and intermediate size, up to the number of kv heads.
std::vector<std::int64_t> possible_tensor_sizes(const LlamaConfig& config) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 1; size <= config.num_kv_heads; ++size) {
    if (config.num_heads % size == 0 && config.num_kv_heads % size == 0 && config.intermediate_size % size == 0) {
      sizes.push_back(size);
    }
  }
  return sizes;
}

}  // namespace

void validate_layout(const Recipe& recipe, const LlamaConfig& config, std::int64_t world_size) {
  const std::int64_t tensor = recipe.parallel.tensor;
  const auto refuse_size = [&](std::string_view what, std::int64_t size) {
    if (size % tensor == 0) return;
    throw InputError(
        fmt::format("parallel.tensor = {}: expected a divisor of the model's {} {}; this model can be divided by {}",
                    tensor, size, what, fmt::join(possible_tensor_sizes(config), ", ")));
  };
  refuse_size("heads", config.num_heads);
  refuse_size("key/value heads", config.num_kv_heads);
  refuse_size("intermediate units", config.intermediate_size);

  if (world_size % tensor != 0) {
    throw InputError(
        fmt::format("parallel.tensor = {}: expected a divisor of the {} ranks; start a multiple of {} ranks, or change "
                    "parallel.tensor",
                    tensor, world_size, tensor));
  }
  const std::int64_t data = recipe.parallel.data;
  if (data != 0 && data * tensor != world_size) {
    throw InputError(fmt::format(
        "parallel.data = {} times parallel.tensor = {} makes {} ranks, found {}; start {} ranks (mpirun -np "
        "{}), or set parallel.data: auto",
        data, tensor, data * tensor, world_size, data * tensor, data * tensor));
  }
  if (recipe.training.max_tokens > config.max_position_embeddings) {
    throw InputError(fmt::format("training.max_tokens = {}: the model has {} positions; set at most that",
                                 recipe.training.max_tokens, config.max_position_embeddings));
  }
}

}  // namespace entune
