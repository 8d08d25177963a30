#include "trainer/weights/gguf_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "data/input_error.h"
#include "trainer/weights/gguf_dequantize.h"

namespace entune {
namespace {

constexpr std::uint64_t kMaxNameBytes = 65535;  // by the format
constexpr std::uint64_t kMaxDimensions = 4;     // by the format
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMaxAlignment = 1 << 20;

/// A name out of the file as an error shows it: the file may be hostile, a terminal obeys control characters.
std::string printable(const std::string& name) {
  std::string text = name.substr(0, 80);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

/// Reads forward through a buffer; knows where it is and how much there is left.
class Cursor {
 public:
  explicit Cursor(const InputFile& file) : file_(file) {}

  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return file_.size_bytes() - offset_; }

  [[noreturn]] void fail(std::uint64_t offset, const std::string& expected_and_found) const {
    throw InputError(fmt::format("{}: byte {}: {}", file_.path().string(), offset, expected_and_found));
  }

  /// Refuses a count of things of at least `item_bytes` each that the rest of the file cannot hold.
  void check_count(std::uint64_t count, std::uint64_t item_bytes, const char* what) const {
    if (count > remaining() / item_bytes) {
      fail(offset_, fmt::format("expected {} that fit the file, found a count of {} with {} bytes left", what, count,
                                remaining()));
    }
  }

  template <typename T>
  T read() {
    T value;
    read_bytes(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  }

  std::string read_string(std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max()) {
    const auto length = read<std::uint64_t>();
    check_count(length, 1, "a string's bytes");
    if (length > max_bytes) {
      fail(offset_, fmt::format("expected a name of at most {} bytes, found {}", max_bytes, length));
    }
    std::string text(length, '\0');
    read_bytes(text.data(), text.size());
    return text;
  }

 private:
  void read_bytes(char* out, std::uint64_t num_bytes) {
    if (num_bytes > remaining()) {
      fail(offset_, fmt::format("expected {} more bytes, found the end of the file", num_bytes));
    }
    while (num_bytes > 0) {
      if (offset_ < buffer_begin_ || offset_ >= buffer_begin_ + buffer_.size()) {
        buffer_.resize(std::min<std::uint64_t>(kBufferBytes, remaining()));
        buffer_begin_ = offset_;
        file_.read_at(offset_, buffer_.data(), buffer_.size());
      }
      const std::uint64_t here = std::min<std::uint64_t>(num_bytes, buffer_begin_ + buffer_.size() - offset_);
      std::memcpy(out, buffer_.data() + (offset_ - buffer_begin_), here);
      out += here;
      offset_ += here;
      num_bytes -= here;
    }
  }

  static constexpr std::uint64_t kBufferBytes = 1 << 16;
  const InputFile& file_;
  std::uint64_t offset_ = 0;
  std::uint64_t buffer_begin_ = 0;
  std::vector<char> buffer_;
};

enum class ValueType : std::uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};

using Scalar = std::variant<bool, std::int64_t, double, std::string>;

/// Bytes that a value takes at least, or 0 for a type that does not exist.
std::uint64_t least_bytes(ValueType type) {
  switch (type) {
    case ValueType::uint8:
    case ValueType::int8:
    case ValueType::boolean:
      return 1;
    case ValueType::uint16:
    case ValueType::int16:
      return 2;
    case ValueType::uint32:
    case ValueType::int32:
    case ValueType::float32:
      return 4;
    case ValueType::string:
    case ValueType::uint64:
    case ValueType::int64:
    case ValueType::float64:
      return 8;
    case ValueType::array:
      return 12;
  }
  return 0;
}

Scalar read_scalar(Cursor& cursor, ValueType type) {
  const std::uint64_t offset = cursor.offset();
  switch (type) {
    case ValueType::uint8:
      return std::int64_t{cursor.read<std::uint8_t>()};
    case ValueType::int8:
      return std::int64_t{cursor.read<std::int8_t>()};
    case ValueType::uint16:
      return std::int64_t{cursor.read<std::uint16_t>()};
    case ValueType::int16:
      return std::int64_t{cursor.read<std::int16_t>()};
    case ValueType::uint32:
      return std::int64_t{cursor.read<std::uint32_t>()};
    case ValueType::int32:
      return std::int64_t{cursor.read<std::int32_t>()};
    case ValueType::float32:
      return static_cast<double>(cursor.read<float>());
    case ValueType::boolean: {
      const auto value = cursor.read<std::uint8_t>();
      if (value > 1) {
        cursor.fail(offset, fmt::format("expected a boolean 0 or 1, found {}", value));
      }
      return value == 1;
    }
    case ValueType::string:
      return cursor.read_string();
    case ValueType::uint64: {
      const auto value = cursor.read<std::uint64_t>();
      if (!std::in_range<std::int64_t>(value)) {
        cursor.fail(offset, fmt::format("expected an integer below 2^63, found {}", value));
      }
      return static_cast<std::int64_t>(value);
    }
    case ValueType::int64:
      return cursor.read<std::int64_t>();
    case ValueType::float64:
      return cursor.read<double>();
    case ValueType::array:
      break;
  }
  cursor.fail(offset, "expected no array within an array, found one");
}

template <typename T>
std::vector<T> read_items(Cursor& cursor, ValueType type, std::uint64_t count) {
  std::vector<T> items;
  for (std::uint64_t i = 0; i < count; ++i) {
    items.push_back(std::get<T>(read_scalar(cursor, type)));
  }
  return items;
}

ValueType read_type(Cursor& cursor) {
  const std::uint64_t offset = cursor.offset();
  const auto type = static_cast<ValueType>(cursor.read<std::uint32_t>());
  if (least_bytes(type) == 0) {
    cursor.fail(offset,
                fmt::format("expected a metadata type from 0 to 12, found {}", static_cast<std::uint32_t>(type)));
  }
  return type;
}

GgufValue read_value(Cursor& cursor) {
  const ValueType type = read_type(cursor);
  if (type != ValueType::array) {
    return std::visit([](auto&& scalar) { return GgufValue(std::move(scalar)); }, read_scalar(cursor, type));
  }
  const ValueType item = read_type(cursor);
  const auto count = cursor.read<std::uint64_t>();
  cursor.check_count(count, least_bytes(item), "array items");
  switch (item) {
    case ValueType::string:
      return read_items<std::string>(cursor, item, count);
    case ValueType::boolean:
      return read_items<bool>(cursor, item, count);
    case ValueType::float32:
    case ValueType::float64:
      return read_items<double>(cursor, item, count);
    default:
      return read_items<std::int64_t>(cursor, item, count);
  }
}

/// Reads one tensor info; `offset` is left as it stands in the file: relative to the data.
std::pair<std::string, GgufTensor> read_tensor_info(Cursor& cursor) {
  const std::uint64_t begin = cursor.offset();
  std::string name = cursor.read_string(kMaxNameBytes);
  GgufTensor tensor;
  const auto num_dimensions = cursor.read<std::uint32_t>();
  if (num_dimensions == 0 || num_dimensions > kMaxDimensions) {
    cursor.fail(begin,
                fmt::format("expected a tensor of 1 to {} dimensions, found {}", kMaxDimensions, num_dimensions));
  }
  std::uint64_t num_values = 1;
  for (std::uint32_t i = 0; i < num_dimensions; ++i) {
    const auto size = cursor.read<std::uint64_t>();
    if (size == 0 || !std::in_range<std::int64_t>(size) || __builtin_mul_overflow(num_values, size, &num_values)) {
      cursor.fail(begin, "expected a tensor whose size is positive and fits a file, found another");
    }
    tensor.shape.push_back(static_cast<std::int64_t>(size));
  }
  const std::int64_t row_values = tensor.shape.front();
  std::reverse(tensor.shape.begin(), tensor.shape.end());
  tensor.type = cursor.read<std::uint32_t>();
  tensor.offset = cursor.read<std::uint64_t>();
  const GgufType* type = find_gguf_type(tensor.type);
  if (type == nullptr) {
    cursor.fail(
        begin,
        fmt::format(
            "tensor '{}': expected type F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0, found {}; convert the model "
            "to one of these",
            printable(name), gguf_type_name(tensor.type)));
  }
  if (row_values % type->block_values != 0) {
    cursor.fail(begin, fmt::format("tensor '{}': expected rows of a multiple of {} values for {}, found {}",
                                   printable(name), type->block_values, type->name, row_values));
  }
  if (__builtin_mul_overflow(num_values / static_cast<std::uint64_t>(type->block_values),
                             static_cast<std::uint64_t>(type->block_bytes), &tensor.num_bytes)) {
    cursor.fail(begin, fmt::format("tensor '{}': expected a size that fits a file, found more", printable(name)));
  }
  return {std::move(name), std::move(tensor)};
}

/// Offsets become absolute; each tensor must lie within the file, aligned, and share no byte with another.
void place_tensors(std::map<std::string, GgufTensor>& tensors, std::uint64_t alignment, const Cursor& cursor,
                   std::uint64_t file_bytes) {
  const std::uint64_t data_begin = (cursor.offset() + alignment - 1) / alignment * alignment;
  std::vector<std::pair<std::uint64_t, const std::pair<const std::string, GgufTensor>*>> by_offset;
  for (auto& entry : tensors) {
    GgufTensor& tensor = entry.second;
    std::uint64_t end = 0;
    if (tensor.offset % alignment != 0 || __builtin_add_overflow(tensor.offset, data_begin, &tensor.offset) ||
        __builtin_add_overflow(tensor.offset, tensor.num_bytes, &end) || end > file_bytes) {
      cursor.fail(
          cursor.offset(),
          fmt::format("tensor '{}': expected {} bytes within the file of {} bytes at a multiple of {}, found another "
                      "offset; fetch the file again",
                      printable(entry.first), tensor.num_bytes, file_bytes, alignment));
    }
    by_offset.emplace_back(tensor.offset, &entry);
  }
  std::sort(by_offset.begin(), by_offset.end());
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const auto& before = *by_offset[i - 1].second;
    if (before.second.offset + before.second.num_bytes > by_offset[i].first) {
      cursor.fail(by_offset[i].first,
                  fmt::format("tensor '{}': expected bytes of its own, found that they overlap those of '{}'",
                              printable(by_offset[i].second->first), printable(before.first)));
    }
  }
}

}  // namespace

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian and are read as they lie");

GgufFile::GgufFile(const std::filesystem::path& path) : file_(path) {
  Cursor cursor(file_);
  if (file_.size_bytes() < 4 || cursor.read<std::uint32_t>() != 0x46554747U) {  // "GGUF"
    cursor.fail(0, "expected a GGUF file, found no 'GGUF' at its start; name a .gguf file");
  }
  const auto version = cursor.read<std::uint32_t>();
  if (version != 2 && version != 3) {
    cursor.fail(4, fmt::format("expected GGUF version 2 or 3, little-endian, found {}", version));
  }
  const auto num_tensors = cursor.read<std::uint64_t>();
  const auto num_values = cursor.read<std::uint64_t>();
  cursor.check_count(num_values, 8 + 4 + 1, "key/values");
  for (std::uint64_t i = 0; i < num_values; ++i) {
    const std::uint64_t offset = cursor.offset();
    std::string key = cursor.read_string(kMaxNameBytes);
    if (!values_.try_emplace(key, read_value(cursor)).second) {
      cursor.fail(offset, fmt::format("expected each key once, found '{}' twice", printable(key)));
    }
  }
  cursor.check_count(num_tensors, 8 + 4 + 8 + 4 + 8, "tensors");
  for (std::uint64_t i = 0; i < num_tensors; ++i) {
    const std::uint64_t offset = cursor.offset();
    auto [name, tensor] = read_tensor_info(cursor);
    if (!tensors_.try_emplace(name, std::move(tensor)).second) {
      cursor.fail(offset, fmt::format("expected each tensor once, found '{}' twice", printable(name)));
    }
  }
  const auto alignment =
      static_cast<std::uint64_t>(find<std::int64_t>("general.alignment").value_or(kDefaultAlignment));
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) {
    fail_key("general.alignment", fmt::format("{}, not a power of two up to {}", alignment, kMaxAlignment));
  }
  place_tensors(tensors_, alignment, cursor, file_.size_bytes());
}

void GgufFile::fail_key(const std::string& key, const std::string& found) const {
  throw InputError(fmt::format("{}: expected metadata '{}' of a llama model, found {}", path().string(), key, found));
}

}  // namespace entune
