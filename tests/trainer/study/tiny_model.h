#pragma once

#include <cstdint>
#include <filesystem>

namespace entune::test {

/// A Hugging Face directory of a random Llama with a ChatML byte tokenizer: every byte is a token.
void write_tiny_model(const std::filesystem::path& directory, std::int64_t num_layers = 2);

}  // namespace entune::test
