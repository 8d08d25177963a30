#include "trainer/weights/safetensors_reader.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "data/input_error.h"

namespace entune {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian and are read as they lie");

constexpr std::int64_t kPieceBytes = std::int64_t{8} << 20;

std::optional<at::ScalarType> float_type(std::string_view dtype) {
  if (dtype == "F32") return at::kFloat;
  if (dtype == "BF16") return at::kBFloat16;
  if (dtype == "F16") return at::kHalf;
  return std::nullopt;
}

/// A tensor as a matrix: a shard is a range of its rows, or a range of its columns.
struct Extent {
  std::int64_t rows = 1, columns = 1;             ///< of the whole tensor
  std::int64_t row_begin = 0, row_end = 1;        ///< of the shard
  std::int64_t column_begin = 0, column_end = 1;  ///< of the shard
};

Extent extent_of(const std::vector<std::int64_t>& shape, const Shard& shard) {
  Extent extent;
  if (!shape.empty()) {
    extent.rows = shape[0];
    for (std::size_t i = 1; i < shape.size(); ++i) {
      extent.columns *= shape[i];
    }
  }
  extent.row_end = extent.rows;
  extent.column_end = extent.columns;
  if (shard.dim == 0) {
    extent.row_begin = shard.begin(extent.rows);
    extent.row_end = shard.end(extent.rows);
  } else if (shard.dim == 1) {
    extent.column_begin = shard.begin(extent.columns);
    extent.column_end = shard.end(extent.columns);
  }
  return extent;
}

std::vector<std::int64_t> local_shape(std::vector<std::int64_t> shape, const Shard& shard) {
  if (shard.dim >= 0) {
    auto& size = shape[static_cast<std::size_t>(shard.dim)];
    size = shard.part(size);
  }
  return shape;
}

}  // namespace

std::int64_t shard_bytes(const SafetensorsEntry& entry, const Shard& shard) {
  const Extent extent = extent_of(entry.shape, shard);
  return (extent.row_end - extent.row_begin) * (extent.column_end - extent.column_begin) *
         static_cast<std::int64_t>(safetensors_element_bytes(entry.dtype));
}

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path) : file_(path) {
  const std::string where = path.string();
  std::uint64_t header_bytes = 0;
  if (file_.size_bytes() < sizeof header_bytes) {
    throw InputError(fmt::format("{}: expected a safetensors file, found {} bytes; fetch the file again", where,
                                 file_.size_bytes()));
  }
  file_.read_at(0, &header_bytes, sizeof header_bytes);
  if (header_bytes > kMaxSafetensorsHeaderBytes || header_bytes > file_.size_bytes() - sizeof header_bytes) {
    throw InputError(
        fmt::format("{}: expected a safetensors header of at most {} bytes within the file, found a length of {}",
                    where, kMaxSafetensorsHeaderBytes, header_bytes));
  }
  std::string json(header_bytes, '\0');
  file_.read_at(sizeof header_bytes, json.data(), json.size());
  data_begin_ = sizeof header_bytes + header_bytes;
  header_ = parse_safetensors_header(json, file_.size_bytes() - data_begin_, where);
}

const SafetensorsEntry& SafetensorsReader::entry(const std::string& name) const {
  const auto found = header_.tensors.find(name);
  if (found == header_.tensors.end()) {
    throw InputError(fmt::format("{}: expected a tensor '{}', found none", path().string(), name));
  }
  return found->second;
}

void SafetensorsReader::expect(const std::string& name, const std::vector<std::int64_t>& shape) const {
  if (entry(name).shape != shape) {
    throw InputError(fmt::format("{}: tensor '{}': expected shape [{}] by the configuration, found [{}]",
                                 path().string(), name, fmt::join(shape, ", "), fmt::join(entry(name).shape, ", ")));
  }
}

void SafetensorsReader::read(const std::string& name, const Shard& shard, at::Tensor destination,
                             const BytesRead& progress) const {
  const at::NoGradGuard no_grad;
  const SafetensorsEntry& tensor = entry(name);
  const auto type = float_type(tensor.dtype);
  if (!type) {
    throw InputError(
        fmt::format("{}: tensor '{}': expected dtype F32, F16 or BF16, found {}; use a directory that is not quantized",
                    path().string(), name, tensor.dtype));
  }
  TORCH_CHECK(shard.dim < 2, "tensors are sharded by rows or columns");
  if (shard.dim >= static_cast<std::int64_t>(tensor.shape.size()) || (shard.dim == 1 && tensor.shape.size() != 2) ||
      destination.sizes() != at::IntArrayRef(local_shape(tensor.shape, shard))) {
    throw InputError(fmt::format("{}: tensor '{}': found shape [{}], which does not give this rank's part [{}]",
                                 path().string(), name, fmt::join(tensor.shape, ", "),
                                 fmt::join(destination.sizes(), ", ")));
  }
  const Extent extent = extent_of(tensor.shape, shard);
  const std::int64_t element_bytes = static_cast<std::int64_t>(c10::elementSize(*type));
  const std::int64_t rows = extent.row_end - extent.row_begin;
  const std::int64_t columns = extent.column_end - extent.column_begin;

  if (destination.numel() == 0) {
    return;
  }
  // A view of the destination as a matrix; the parts beyond the file's rows or columns are padding.
  at::Tensor matrix = destination.dim() == 2   ? destination
                      : destination.dim() == 0 ? destination.view({1, 1})
                                               : destination.view({destination.size(0), -1});
  if (rows < matrix.size(0)) {
    matrix.narrow(0, rows, matrix.size(0) - rows).zero_();
  }
  if (columns < matrix.size(1)) {
    matrix.narrow(1, columns, matrix.size(1) - columns).zero_();
  }
  if (rows == 0 || columns == 0) {
    return;
  }

  const auto read_range = [&](std::int64_t row, std::int64_t column, std::int64_t num_rows, std::int64_t num_columns) {
    at::Tensor piece = at::empty({num_rows, num_columns}, at::TensorOptions().dtype(*type));
    auto* out = static_cast<char*>(piece.data_ptr());
    const bool whole_rows = num_columns == extent.columns;
    const std::int64_t runs = whole_rows ? 1 : num_rows;  // contiguous ranges of the file
    const std::int64_t run_bytes = num_columns * element_bytes * (whole_rows ? num_rows : 1);
    for (std::int64_t i = 0; i < runs; ++i) {
      const std::int64_t element = (extent.row_begin + row + i) * extent.columns + extent.column_begin + column;
      file_.read_at(data_begin_ + tensor.begin + static_cast<std::uint64_t>(element * element_bytes),
                    out + i * run_bytes, static_cast<std::size_t>(run_bytes));
    }
    matrix.narrow(0, row, num_rows).narrow(1, column, num_columns).copy_(piece);
    if (progress) {
      progress(num_rows * num_columns * element_bytes);
    }
  };
  const std::int64_t piece_elements = kPieceBytes / element_bytes;
  const std::int64_t piece_rows = std::max<std::int64_t>(1, piece_elements / columns);
  const std::int64_t piece_columns = std::min(columns, piece_elements);
  for (std::int64_t row = 0; row < rows; row += piece_rows) {
    for (std::int64_t column = 0; column < columns; column += piece_columns) {
      read_range(row, column, std::min(piece_rows, rows - row), std::min(piece_columns, columns - column));
    }
  }
}

void SafetensorsReader::read_range(const std::string& name, std::int64_t begin, at::Tensor destination) const {
  const SafetensorsEntry& tensor = entry(name);
  TORCH_CHECK(destination.is_cpu() && destination.is_contiguous() && begin >= 0, "no range of tensor ", name);
  const auto begin_byte = static_cast<std::uint64_t>(begin) * destination.element_size();
  if (float_type(tensor.dtype) != destination.scalar_type() ||
      begin_byte + destination.nbytes() > tensor.end - tensor.begin) {
    throw InputError(fmt::format("{}: tensor '{}': expected at least {} elements of {}, found shape [{}] of {}",
                                 path().string(), name, begin + destination.numel(),
                                 c10::toString(destination.scalar_type()), fmt::join(tensor.shape, ", "),
                                 tensor.dtype));
  }
  file_.read_at(data_begin_ + tensor.begin + begin_byte, destination.data_ptr(), destination.nbytes());
}

bool SafetensorsReader::equal(const std::string& name, const SafetensorsReader& other, const std::string& other_name,
                              const Shard& shard) const {
  const SafetensorsEntry& mine = entry(name);
  const SafetensorsEntry& theirs = other.entry(other_name);
  if (mine.dtype != theirs.dtype || mine.shape != theirs.shape) {
    return false;
  }
  TORCH_CHECK(shard.dim < 1, "tensors are compared by rows");
  const Extent extent = extent_of(mine.shape, shard);
  const auto row_bytes = static_cast<std::uint64_t>(extent.columns) * safetensors_element_bytes(mine.dtype);
  const std::uint64_t begin = static_cast<std::uint64_t>(extent.row_begin) * row_bytes,
                      end = static_cast<std::uint64_t>(extent.row_end) * row_bytes;
  std::vector<char> a(kPieceBytes), b(kPieceBytes);
  for (std::uint64_t at = begin; at < end; at += kPieceBytes) {
    const std::size_t num_bytes = std::min<std::uint64_t>(kPieceBytes, end - at);
    file_.read_at(data_begin_ + mine.begin + at, a.data(), num_bytes);
    other.file_.read_at(other.data_begin_ + theirs.begin + at, b.data(), num_bytes);
    if (std::memcmp(a.data(), b.data(), num_bytes) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace entune
