#pragma once

#include <filesystem>

namespace entune::test {

/// A Hugging Face directory of a random Llama of 2 layers with a ChatML byte tokenizer: every byte is a token.
void write_tiny_model(const std::filesystem::path& directory);

}  // namespace entune::test
