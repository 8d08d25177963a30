#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/model/llama_config.h"

namespace entune {

/// Shape of a published model by the name that recipes use (model.preset), or nullopt. For random weights: studies of
/// speed and memory.
std::optional<LlamaConfig> preset_config(std::string_view name);
/// All names, smallest model first.
std::vector<std::string> preset_names();

}  // namespace entune
