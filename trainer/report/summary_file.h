#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

namespace entune {

/// Writes `text` so that `path` holds either what was there or all of it: to a file beside it, then renamed. Throws
/// InputError if the folder cannot be written to.
void write_file_whole(const std::filesystem::path& path, std::string_view text);

/// summary.json: one JSON object, described in the README. Written whole; numbers that are not finite become null.
void write_summary(const std::filesystem::path& path, const nlohmann::json& summary);

/// Throws InputError "path: ..." unless the file is a summary of this version, whose cells have distinct names, whose
/// labels have names and whose scores are objects.
nlohmann::json read_summary(const std::filesystem::path& path);

/// One summary of the cells of all (at least one): cells in order of first mention, the later one of a name kept;
/// everything else is the first summary's, but `left_out`, which the later ones add to. `comparisons` is empty:
/// compare_cells() gives it from the cells' documents. Throws InputError if label lists, the sizes of the splits or the
/// scored splits differ: such cells cannot be compared.
nlohmann::json merge_summaries(const std::vector<nlohmann::json>& summaries);

}  // namespace entune
