#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace entune {

/// XXH3-128 of a file's bytes, 32 hexadecimal digits. It finds damage, not deceit. Throws InputError if the file cannot
/// be read.
std::string file_hash(const std::filesystem::path& path);
std::string text_hash(std::string_view text);

}  // namespace entune
