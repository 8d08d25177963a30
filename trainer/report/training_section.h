#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace entune {

/// The part of the HTML report on training: loss curves. "" where no cell was trained.
std::string loss_section(const nlohmann::json& summary);

/// The part of the HTML report on time, tokens and memory.
std::string cost_section(const nlohmann::json& summary);

}  // namespace entune
