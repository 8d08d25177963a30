#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace entune {

/// The fields of a directory's config.json, in alphabetical order, that read_llama_config does not look at and that are
/// not known to leave the computation as it is. Throws InputError if the file is no JSON object.
std::vector<std::string> unknown_config_fields(const std::filesystem::path& model_directory);

/// One warning on standard error that names them, once for each directory in a process. Nothing if there are none. Rank 0
/// calls it.
void warn_of_unknown_config_fields(const std::filesystem::path& model_directory);

}  // namespace entune
