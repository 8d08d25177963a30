#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace entune {

/// The console's view of a summary: for each split a row per cell (and a mean ± standard deviation per group of cells
/// that differ by seed alone), then the comparisons, in aligned plain text. What is undefined is shown as a dash.
std::string comparison_table(const nlohmann::json& summary);

/// What answering cost each cell: texts a second, tokens, passes and what drafts gave.
std::string answering_table(const nlohmann::json& summary);

}  // namespace entune
