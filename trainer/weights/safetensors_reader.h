#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "distributed/sharding.h"
#include "trainer/weights/input_file.h"
#include "trainer/weights/safetensors_header.h"

namespace entune {

/// Called with the bytes read since the last call.
using BytesRead = std::function<void(std::int64_t)>;

/// One safetensors file. The constructor checks the header (InputError); tensors are read on demand.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const SafetensorsHeader& header() const { return header_; }

  /// Throws InputError, with the file and both shapes, if there is no such tensor of this shape.
  void expect(const std::string& name, const std::vector<std::int64_t>& shape) const;

  /// Reads what `shard` keeps of tensor `name` into `destination`, in pieces of at most 8 MiB, converting F32, F16 and
  /// BF16 to the destination's dtype. destination: the tensor's shape, but shard.part(full) long in shard.dim (0 or 1);
  /// padding beyond the file's rows becomes zero. Nothing outside the shard is read. Throws InputError if the tensor is
  /// absent, of another dtype or of another shape.
  void read(const std::string& name, const Shard& shard, at::Tensor destination, const BytesRead& progress = {}) const;

  /// Reads elements [begin, begin + destination.numel()) of tensor `name`, row-major, into `destination`, a contiguous
  /// tensor on the CPU of the file's own dtype. Throws InputError if the tensor is absent, of another dtype or shorter.
  void read_range(const std::string& name, std::int64_t begin, at::Tensor destination) const;

  /// True if both tensors have the same dtype and shape, and the same bytes in the rows that `shard` (of dim 0, or
  /// whole) keeps; others are not read.
  bool equal(const std::string& name, const SafetensorsReader& other, const std::string& other_name,
             const Shard& shard = {}) const;

 private:
  const SafetensorsEntry& entry(const std::string& name) const;

  InputFile file_;
  SafetensorsHeader header_;
  std::uint64_t data_begin_ = 0;
};

/// Bytes that read() takes from the file.
std::int64_t shard_bytes(const SafetensorsEntry& entry, const Shard& shard);

}  // namespace entune
