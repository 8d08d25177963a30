#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "trainer/weights/output_file.h"
#include "trainer/weights/safetensors_header.h"

namespace entune {

/// A tensor that a file will hold. dtype: float32, float16, bfloat16, int64, int32 or uint8.
struct SafetensorsTensor {
  std::string name;
  at::ScalarType dtype;
  std::vector<std::int64_t> shape;
};

/// Writes a safetensors file piece by piece; tensors lie as Hugging Face's writer orders them (wider types first, then
/// by name) and __metadata__ says {"format": "pt"}. The file appears at finish(). Errors of the disk are
/// std::system_error.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors);

  /// Writes rows (indices of the first dimension) [row, row + rows.size(0)) of `name`; `rows` is converted to the
  /// tensor's dtype. Each row must be written once, in any order.
  void write_rows(const std::string& name, std::int64_t row, const at::Tensor& rows);
  void write(const std::string& name, const at::Tensor& tensor);
  /// Every tensor must be complete (TORCH_CHECK).
  void finish();

 private:
  struct Slot {
    SafetensorsTensor tensor;
    std::uint64_t begin = 0, end = 0;  ///< bytes of the file
    std::uint64_t written_bytes = 0;
  };
  void write_bytes(Slot& slot, std::uint64_t offset, const at::Tensor& values);

  OutputFile file_;
  std::map<std::string, Slot> slots_;
};

}  // namespace entune
