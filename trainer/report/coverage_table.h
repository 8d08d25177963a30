#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace entune {

// Both take what to_json(SafeHarborCoverage) gives and end with its statement that it is none of compliance.

/// A table of plain text, then the labels without a class.
std::string coverage_text(const nlohmann::json& coverage);
/// The same as a <section> of the report; "" where the summary has no coverage.
std::string coverage_section(const nlohmann::json& summary);

}  // namespace entune
