#include "trainer/weights/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "data/input_error.h"

namespace entune {
namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxDimensions = 8;

bool is_tensor_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
           c == '-';
  });
}

/// Builds the header from the parser's events. What it does not expect at a place it refuses at once, so nesting cannot
/// grow.
class HeaderBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderBuilder(SafetensorsHeader& header, const std::string& where) : header_(header), where_(where) {}

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::top;
    } else if (place_ == Place::tensor_value) {
      place_ = Place::tensor;
      seen_.clear();
    } else if (place_ == Place::metadata_value) {
      place_ = Place::metadata;
    } else {
      refuse("an object");
    }
    return true;
  }

  bool key(string_t& name) override {
    if (place_ == Place::top) {
      if (name == "__metadata__") {
        if (std::exchange(has_metadata_, true)) {
          throw InputError(fmt::format("{}: expected __metadata__ once, found it twice", where_));
        }
        place_ = Place::metadata_value;
        return true;
      }
      if (!is_tensor_name(name)) {
        throw InputError(
            fmt::format("{}: expected tensor names of at most {} letters, digits, '.', '_' and '-', found one of {} "
                        "bytes that is not",
                        where_, kMaxNameBytes, name.size()));
      }
      const auto [position, inserted] = header_.tensors.try_emplace(name);
      if (!inserted) {
        throw InputError(fmt::format("{}: expected each tensor once, found '{}' twice", where_, name));
      }
      name_ = name;
      entry_ = &position->second;
      place_ = Place::tensor_value;
    } else if (place_ == Place::metadata) {
      if (!header_.metadata.try_emplace(name).second) {
        throw InputError(fmt::format("{}: expected each key of __metadata__ once, found one twice", where_));
      }
      name_ = name;
      place_ = Place::metadata_string;
    } else {
      place_ = name == "dtype"   ? Place::dtype
               : name == "shape" ? Place::shape_value
               : name == "data_offsets"
                   ? Place::offsets_value
                   : throw InputError(fmt::format(
                         "{}: tensor '{}': expected dtype, shape and data_offsets, found another key", where_, name_));
      if (!seen_.insert(place_).second) {
        throw InputError(fmt::format("{}: tensor '{}': expected '{}' once, found it twice", where_, name_, name));
      }
    }
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::dtype) {
      entry_->dtype = value;
      place_ = Place::tensor;
    } else if (place_ == Place::metadata_string) {
      header_.metadata[name_] = value;
      place_ = Place::metadata;
    } else {
      refuse("a string");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::shape_value) {
      place_ = Place::shape;
    } else if (place_ == Place::offsets_value) {
      place_ = Place::offsets;
      offsets_.clear();
    } else {
      refuse("an array");
    }
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      refuse("a number above 2^63");
    }
    if (place_ == Place::shape) {
      if (entry_->shape.size() == kMaxDimensions) {
        throw InputError(
            fmt::format("{}: tensor '{}': expected at most {} dimensions, found more", where_, name_, kMaxDimensions));
      }
      entry_->shape.push_back(static_cast<std::int64_t>(value));
    } else if (place_ == Place::offsets && offsets_.size() < 2) {
      offsets_.push_back(value);
    } else {
      refuse("a number");
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets) {
      if (offsets_.size() != 2) {
        throw InputError(
            fmt::format("{}: tensor '{}': expected two data_offsets, found {}", where_, name_, offsets_.size()));
      }
      entry_->begin = offsets_[0];
      entry_->end = offsets_[1];
    }
    place_ = Place::tensor;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor && seen_.size() != 3) {
      throw InputError(fmt::format("{}: tensor '{}': expected dtype, shape and data_offsets, found {} of them", where_,
                                   name_, seen_.size()));
    }
    place_ = Place::top;
    return true;
  }

  bool null() override { refuse("null"); }
  bool boolean(bool) override { refuse("a boolean"); }
  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { refuse("a number that is not an integer"); }
  bool binary(binary_t&) override { refuse("binary"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw InputError(
        fmt::format("{}: expected a header of valid JSON, found an error at byte {} of it", where_, position));
  }

 private:
  enum class Place {
    start,
    top,
    tensor_value,
    tensor,
    dtype,
    shape_value,
    shape,
    offsets_value,
    offsets,
    metadata_value,
    metadata,
    metadata_string
  };

  [[noreturn]] void refuse(std::string_view what) {
    throw InputError(fmt::format(
        "{}: expected a header of tensors with dtype, shape and data_offsets, found {} where it does not belong{}",
        where_, what, is_tensor_name(name_) ? fmt::format(" (in or after '{}')", name_) : ""));
  }

  SafetensorsHeader& header_;
  const std::string& where_;
  Place place_ = Place::start;
  std::string name_;
  SafetensorsEntry* entry_ = nullptr;
  std::set<Place> seen_;
  std::vector<std::uint64_t> offsets_;
  bool has_metadata_ = false;
};

void check_size(const std::string& name, const SafetensorsEntry& entry, const std::string& where) {
  std::uint64_t bytes = safetensors_element_bytes(entry.dtype);
  if (bytes == 0) {
    throw InputError(fmt::format(
        "{}: tensor '{}': expected a dtype of whole bytes that safetensors knows, found another", where, name));
  }
  for (const std::int64_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes)) {
      throw InputError(fmt::format("{}: tensor '{}': expected a shape that fits a file, found one whose size overflows",
                                   where, name));
    }
  }
  if (entry.begin > entry.end || entry.end - entry.begin != bytes) {
    throw InputError(fmt::format("{}: tensor '{}': expected {} bytes by dtype and shape, found data_offsets [{}, {})",
                                 where, name, bytes, entry.begin, entry.end));
  }
}

void check_coverage(const SafetensorsHeader& header, std::uint64_t data_bytes, const std::string& where) {
  std::vector<const std::pair<const std::string, SafetensorsEntry>*> by_offset;
  for (const auto& tensor : header.tensors) {
    by_offset.push_back(&tensor);
  }
  std::sort(by_offset.begin(), by_offset.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t expected = 0;
  for (const auto* tensor : by_offset) {
    if (tensor->second.begin != expected) {
      throw InputError(fmt::format(
          "{}: tensor '{}': expected to begin at byte {} of the data, found {}: tensors overlap or leave a hole", where,
          tensor->first, expected, tensor->second.begin));
    }
    expected = tensor->second.end;
  }
  if (expected != data_bytes) {
    throw InputError(fmt::format("{}: expected {} bytes of data by the header, found {}; fetch the file again", where,
                                 expected, data_bytes));
  }
}

}  // namespace

std::uint64_t safetensors_element_bytes(std::string_view dtype) {
  static const std::map<std::string_view, std::uint64_t> kBytes = {
      {"F64", 8},     {"I64", 8},     {"U64", 8},     {"C64", 8},         {"F32", 4},        {"I32", 4}, {"U32", 4},
      {"BF16", 2},    {"F16", 2},     {"I16", 2},     {"U16", 2},         {"I8", 1},         {"U8", 1},  {"BOOL", 1},
      {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"F8_E4M3FNUZ", 1}, {"F8_E5M2FNUZ", 1}};
  const auto found = kBytes.find(dtype);
  return found == kBytes.end() ? 0 : found->second;
}

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes, const std::string& where) {
  if (json.empty() || json.front() != '{') {
    throw InputError(fmt::format(
        "{}: expected a safetensors header that begins with '{{', found another; name a safetensors file", where));
  }
  SafetensorsHeader header;
  HeaderBuilder builder(header, where);
  nlohmann::json::sax_parse(json.begin(), json.end(), &builder);
  for (const auto& [name, entry] : header.tensors) {
    check_size(name, entry, where);
  }
  check_coverage(header, data_bytes, where);
  return header;
}

}  // namespace entune
