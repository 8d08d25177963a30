#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace entune::test {

/// config.json and the random weights of a tiny model. model_type: llama | mistral | qwen2 | qwen3.
void write_tiny_weights(const std::filesystem::path& directory, const std::string& model_type, std::int64_t vocab_size,
                        std::int64_t num_layers = 2);
/// A Hugging Face directory of a random Llama with a ChatML byte tokenizer: every byte is a token.
void write_tiny_model(const std::filesystem::path& directory, std::int64_t num_layers = 2);

}  // namespace entune::test
