#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace entune {

/// GGUF's number of a tensor type. Values of a row come in blocks; the last dimension is a multiple of block_values.
struct GgufType {
  const char* name;
  std::int64_t block_values;
  std::int64_t block_bytes;
};

/// F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0 by GGUF's number; nullptr for any other.
const GgufType* find_gguf_type(std::uint32_t code);
/// For errors: the name of a type, supported or not ("Q4_K"), or "type 99".
std::string gguf_type_name(std::uint32_t code);

/// num_blocks blocks of a supported type -> num_blocks * block_values values. With d and m the block's fp16 scale and
/// minimum: Q4_0 d (q - 8), Q4_1 d q + m, Q5_0 d (q - 16), Q5_1 d q + m, Q8_0 d q. Of 4- and 5-bit blocks, byte j holds
/// the low four bits of values j (low nibble) and j + 16; bit i of the 32-bit word before them is the fifth bit of
/// value i. Source: ggml's block layouts.
void dequantize_gguf(std::uint32_t code, const std::byte* blocks, std::int64_t num_blocks, float* values);

}  // namespace entune
