#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace entune {

/// Format (huggingface/safetensors): 8 bytes n, little-endian; n bytes of JSON; the data. The JSON maps a tensor's name
/// to its dtype, shape and [begin, end) within the data, and "__metadata__" to strings. Tensors lie without holes or
/// overlap, row-major, little-endian.
constexpr std::uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

struct SafetensorsEntry {
  std::string dtype;                 ///< as the file spells it: "BF16"
  std::vector<std::int64_t> shape;   ///< may be empty (a scalar) or hold zeros
  std::uint64_t begin = 0, end = 0;  ///< bytes within the data

  bool operator==(const SafetensorsEntry&) const = default;
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads the JSON part and holds it to every rule of the reference implementation: known dtypes, at most 8 dimensions,
/// sizes that multiply without overflow and equal end - begin, no hole, no overlap, all of `data_bytes` covered, no key
/// twice. Names are at most 256 of [A-Za-z0-9._-]. `where` (a file's name) begins the text of the InputError thrown.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes, const std::string& where);

/// Bytes of an element by safetensors' spelling ("BF16": 2), or 0 for a dtype that is not known.
std::uint64_t safetensors_element_bytes(std::string_view dtype);

}  // namespace entune
