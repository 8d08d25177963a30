#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace entune::test {

/// Writes GGUF files for tests, byte by byte as the format defines them (version 3, alignment 32).
class GgufBuilder {
 public:
  static std::string text(const std::string& value) { return bytes_of<std::uint64_t>(value.size()) + value; }

  void add(const std::string& key, std::uint32_t type, const std::string& value) {
    values_ += text(key) + bytes_of(type) + value;
    ++num_values_;
  }
  void add_uint32(const std::string& key, std::uint32_t value) { add(key, 4, bytes_of(value)); }
  void add_float(const std::string& key, float value) { add(key, 6, bytes_of(value)); }
  void add_string(const std::string& key, const std::string& value) { add(key, 8, text(value)); }
  void add_strings(const std::string& key, const std::vector<std::string>& values) {
    std::string items;
    for (const auto& value : values) items += text(value);
    add(key, 9, bytes_of<std::uint32_t>(8) + bytes_of<std::uint64_t>(values.size()) + items);
  }
  void add_int32s(const std::string& key, const std::vector<std::int32_t>& values) {
    std::string items;
    for (const auto value : values) items += bytes_of(value);
    add(key, 9, bytes_of<std::uint32_t>(5) + bytes_of<std::uint64_t>(values.size()) + items);
  }
  /// dims: fastest first, as the file lists them.
  void add_tensor(const std::string& name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                  const std::string& data) {
    data_.resize((data_.size() + 31) / 32 * 32);
    infos_ += text(name) + bytes_of<std::uint32_t>(static_cast<std::uint32_t>(dims.size()));
    for (const auto dim : dims) infos_ += bytes_of(dim);
    infos_ += bytes_of(type) + bytes_of<std::uint64_t>(data_.size());
    data_ += data;
    ++num_tensors_;
  }
  std::string header(std::uint32_t version = 3) const {
    return "GGUF" + bytes_of(version) + bytes_of(num_tensors_) + bytes_of(num_values_) + values_ + infos_;
  }
  std::string file(std::uint32_t version = 3) const {
    std::string bytes = header(version);
    bytes.resize((bytes.size() + 31) / 32 * 32);
    return bytes + data_;
  }

 private:
  std::uint64_t num_values_ = 0, num_tensors_ = 0;
  std::string values_, infos_, data_;
};

}  // namespace entune::test
