#include "trainer/weights/gguf_dequantize.h"

#include <c10/util/Exception.h>
#include <c10/util/Half.h>
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <map>

namespace entune {
namespace {

enum Code : std::uint32_t { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ5_0 = 6, kQ5_1 = 7, kQ8_0 = 8, kBF16 = 30 };
constexpr int kHalfBlock = 16;  // values of a quantized block / 2

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float load_half(const std::byte* bytes) { return c10::Half(load<std::uint16_t>(bytes), c10::Half::from_bits()); }

/// 16 bytes of nibbles, with the fifth bits of all 32 values in `high` (0 if there are none): values scale * (q +
/// shift) + minimum.
void dequantize_nibbles(const std::byte* nibbles, std::uint32_t high, float scale, int shift, float minimum,
                        float* values) {
  for (int j = 0; j < kHalfBlock; ++j) {
    const auto byte = std::to_integer<std::uint32_t>(nibbles[j]);
    const auto low_value = static_cast<int>((byte & 15U) | ((high >> j & 1U) << 4));
    const auto high_value = static_cast<int>((byte >> 4) | ((high >> (j + kHalfBlock) & 1U) << 4));
    values[j] = scale * static_cast<float>(low_value + shift) + minimum;
    values[j + kHalfBlock] = scale * static_cast<float>(high_value + shift) + minimum;
  }
}

void dequantize_block(std::uint32_t code, const std::byte* block, float* values) {
  switch (code) {
    case kF32:
      *values = load<float>(block);
      return;
    case kF16:
      *values = load_half(block);
      return;
    case kBF16:
      *values = std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(block)) << 16);
      return;
    case kQ4_0:
      dequantize_nibbles(block + 2, 0, load_half(block), -8, 0.0F, values);
      return;
    case kQ4_1:
      dequantize_nibbles(block + 4, 0, load_half(block), 0, load_half(block + 2), values);
      return;
    case kQ5_0:
      dequantize_nibbles(block + 6, load<std::uint32_t>(block + 2), load_half(block), -16, 0.0F, values);
      return;
    case kQ5_1:
      dequantize_nibbles(block + 8, load<std::uint32_t>(block + 4), load_half(block), 0, load_half(block + 2), values);
      return;
    case kQ8_0: {
      const float scale = load_half(block);
      for (int j = 0; j < 2 * kHalfBlock; ++j) {
        values[j] = scale * static_cast<float>(load<std::int8_t>(block + 2 + j));
      }
      return;
    }
    default:
      TORCH_CHECK(false, "GGUF type ", code, " has no dequantization");
  }
}

}  // namespace

const GgufType* find_gguf_type(std::uint32_t code) {
  static const std::map<std::uint32_t, GgufType> kTypes = {
      {kF32, {"F32", 1, 4}},     {kF16, {"F16", 1, 2}},     {kBF16, {"BF16", 1, 2}},   {kQ4_0, {"Q4_0", 32, 18}},
      {kQ4_1, {"Q4_1", 32, 20}}, {kQ5_0, {"Q5_0", 32, 22}}, {kQ5_1, {"Q5_1", 32, 24}}, {kQ8_0, {"Q8_0", 32, 34}}};
  const auto found = kTypes.find(code);
  return found == kTypes.end() ? nullptr : &found->second;
}

std::string gguf_type_name(std::uint32_t code) {
  if (const GgufType* type = find_gguf_type(code)) {
    return type->name;
  }
  static const std::map<std::uint32_t, const char*> kOthers = {
      {9, "Q8_1"},   {10, "Q2_K"},    {11, "Q3_K"},   {12, "Q4_K"},    {13, "Q5_K"},  {14, "Q6_K"},
      {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"},
      {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"}, {24, "I8"},      {25, "I16"},   {26, "I32"},
      {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},  {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"}};
  const auto found = kOthers.find(code);
  return found == kOthers.end() ? fmt::format("type {}", code) : found->second;
}

void dequantize_gguf(std::uint32_t code, const std::byte* blocks, std::int64_t num_blocks, float* values) {
  const GgufType* type = find_gguf_type(code);
  TORCH_CHECK(type != nullptr, "GGUF type ", code, " has no dequantization");
  for (std::int64_t i = 0; i < num_blocks; ++i) {
    dequantize_block(code, blocks + i * type->block_bytes, values + i * type->block_values);
  }
}

}  // namespace entune
