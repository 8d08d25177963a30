#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "trainer/weights/input_file.h"

namespace entune {

/// A value of GGUF's metadata: integers of every width as int64, both floats as double; arrays of one of these.
using GgufValue = std::variant<bool, std::int64_t, double, std::string, std::vector<bool>, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<std::string>>;

struct GgufTensor {
  std::vector<std::int64_t> shape;  ///< slowest dimension first, as everywhere but in the file
  std::uint32_t type = 0;           ///< supported (find_gguf_type)
  std::uint64_t offset = 0;         ///< of the first byte, from the start of the file
  std::uint64_t num_bytes = 0;
};

/// A GGUF file, version 2 or 3, little-endian: "GGUF", version, counts; key/values; tensor infos; padding; data.
/// Everything is checked against the file's size before it is believed or allocated. Damage gives InputError with the
/// byte at which it was met.
class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& path);

  const std::map<std::string, GgufTensor>& tensors() const { return tensors_; }
  const std::filesystem::path& path() const { return file_.path(); }
  void read_at(std::uint64_t offset, void* destination, std::size_t num_bytes) const {
    file_.read_at(offset, destination, num_bytes);
  }

  /// The value of `key` if it is there; InputError if it is of another type than T (one of GgufValue's).
  template <typename T>
  std::optional<T> find(const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) {
      return std::nullopt;
    }
    if (const T* value = std::get_if<T>(&found->second)) {
      return *value;
    }
    fail_key(key, "another type");
  }
  /// InputError if `key` is absent.
  template <typename T>
  T get(const std::string& key) const {
    if (auto value = find<T>(key)) {
      return *std::move(value);
    }
    fail_key(key, "no such key");
  }
  [[noreturn]] void fail_key(const std::string& key, const std::string& found) const;

 private:
  InputFile file_;
  std::map<std::string, GgufValue> values_;
  std::map<std::string, GgufTensor> tensors_;
};

}  // namespace entune
