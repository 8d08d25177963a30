#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/weights/safetensors_reader.h"

namespace entune::test {

/// What `shard` keeps of a tensor of the file (all of it by default), float32.
inline at::Tensor read_tensor(const SafetensorsReader& file, const std::string& name, const Shard& shard = {}) {
  std::vector<std::int64_t> shape = file.header().tensors.at(name).shape;
  if (shard.dim >= 0) {
    std::int64_t& cut = shape[static_cast<std::size_t>(shard.dim)];
    cut = shard.part(cut);
  }
  at::Tensor value = at::empty(shape);
  file.read(name, shard, value);
  return value;
}

/// Integers that a file holds as float32.
inline std::vector<std::int64_t> read_integers(const SafetensorsReader& file, const std::string& name) {
  const at::Tensor values = read_tensor(file, name).to(at::kLong);
  return {values.data_ptr<std::int64_t>(), values.data_ptr<std::int64_t>() + values.numel()};
}

}  // namespace entune::test
