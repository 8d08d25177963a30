#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace entune {

/// The part of the HTML report on one split: headline table, F1 with intervals, comparisons, error kinds, wrong places,
/// labels, leaks, health of the answers.
std::string score_section(const nlohmann::json& summary, const std::string& split);

}  // namespace entune
