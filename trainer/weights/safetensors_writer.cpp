#include "trainer/weights/safetensors_writer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace entune {
namespace {

const char* dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "F32";
    case at::kHalf:
      return "F16";
    case at::kBFloat16:
      return "BF16";
    case at::kLong:
      return "I64";
    case at::kInt:
      return "I32";
    case at::kByte:
      return "U8";
    default:
      TORCH_CHECK(false, "no safetensors dtype for ", type);
  }
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors)
    : file_(path) {
  std::vector<SafetensorsTensor> ordered = tensors;
  std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    const auto width = [](const auto& tensor) { return c10::elementSize(tensor.dtype); };
    return width(a) != width(b) ? width(a) > width(b) : a.name < b.name;
  });
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  std::uint64_t offset = 0;
  for (const auto& tensor : ordered) {
    std::uint64_t bytes = c10::elementSize(tensor.dtype);
    for (const std::int64_t size : tensor.shape) {
      bytes *= static_cast<std::uint64_t>(size);
    }
    header[tensor.name] = {
        {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    const bool inserted = slots_.try_emplace(tensor.name, Slot{tensor, offset, offset + bytes, 0}).second;
    TORCH_CHECK(inserted, "tensor ", tensor.name, " is listed twice");
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begins at a multiple of 8
  const std::uint64_t header_bytes = text.size();
  file_.write_at(0, &header_bytes, sizeof header_bytes);
  file_.write_at(sizeof header_bytes, text.data(), text.size());
  for (auto& [name, slot] : slots_) {
    slot.begin += sizeof header_bytes + header_bytes;
    slot.end += sizeof header_bytes + header_bytes;
  }
}

void SafetensorsWriter::write_bytes(Slot& slot, std::uint64_t offset, const at::Tensor& values) {
  const at::Tensor bytes = values.detach().to(at::kCPU, slot.tensor.dtype).contiguous();
  TORCH_CHECK(offset + bytes.nbytes() <= slot.end, "rows beyond the end of tensor ", slot.tensor.name);
  file_.write_at(offset, bytes.data_ptr(), bytes.nbytes());
  slot.written_bytes += bytes.nbytes();
}

void SafetensorsWriter::write_rows(const std::string& name, std::int64_t row, const at::Tensor& rows) {
  Slot& slot = slots_.at(name);
  const auto& shape = slot.tensor.shape;
  TORCH_CHECK(!shape.empty() && rows.dim() == static_cast<std::int64_t>(shape.size()) &&
                  std::equal(shape.begin() + 1, shape.end(), rows.sizes().begin() + 1),
              "rows of tensor ", name, " have the wrong shape ", rows.sizes());
  const std::uint64_t row_bytes = shape[0] == 0 ? 0 : (slot.end - slot.begin) / static_cast<std::uint64_t>(shape[0]);
  write_bytes(slot, slot.begin + row_bytes * static_cast<std::uint64_t>(row), rows);
}

void SafetensorsWriter::write(const std::string& name, const at::Tensor& tensor) {
  Slot& slot = slots_.at(name);
  TORCH_CHECK(tensor.sizes() == at::IntArrayRef(slot.tensor.shape), "tensor ", name, " has the wrong shape ",
              tensor.sizes());
  write_bytes(slot, slot.begin, tensor);
}

void SafetensorsWriter::finish() {
  for (const auto& [name, slot] : slots_) {
    TORCH_CHECK(slot.written_bytes == slot.end - slot.begin, "tensor ", name, " was not written whole");
  }
  file_.commit();
}

}  // namespace entune
