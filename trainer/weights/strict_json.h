#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace entune {

/// A JSON file of a model directory whose top is an object. Throws InputError, with the byte, for bad JSON, a key that
/// stands twice in one object, nesting deeper than 32, or a file above 64 MiB.
nlohmann::json read_strict_json(const std::filesystem::path& path);

/// A value of such a file for an error's text: JSON, so without line breaks, and cut after 100 bytes.
std::string shown(const nlohmann::json& value);

}  // namespace entune
