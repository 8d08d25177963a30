#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace entune {

/// Turns a GGUF file of the llama architecture into a Hugging Face directory: config.json, model.safetensors
/// (bfloat16), tokenizer.json, tokenizer_config.json, generation_config.json. Tensor types F32, F16, BF16, Q4_0, Q4_1,
/// Q5_0, Q5_1, Q8_0; others are refused by name. The rows of q and k, which GGUF stores with interleaved rotary pairs,
/// are put back into rotate-half order. Refuses a non-empty `to`. Throws InputError for a damaged file (with the
/// offset).
void import_gguf(const std::filesystem::path& file, const std::filesystem::path& to,
                 const std::function<void(std::int64_t, std::int64_t)>& progress = {});

}  // namespace entune
