#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace entune {

/// The report on a summary (see README for its paths) as one HTML page: no script, nothing loaded from elsewhere. What
/// the summary lacks is left out or shown as a dash. Everything taken from the summary is escaped.
/// `examples`: a section that holds texts (example_section), or "".
std::string html_report(const nlohmann::json& summary, const std::string& examples = "");

/// Writes it whole (write_file_whole). Throws InputError.
void write_html_report(const std::filesystem::path& path, const nlohmann::json& summary,
                       const std::string& examples = "");

}  // namespace entune
