#include "tests/trainer/study/tiny_model.h"

#include "data/tokens/byte_alphabet.h"
#include "data/tokens/tokenizer.h"
#include "trainer/weights/hugging_face.h"

namespace entune::test {

void write_tiny_weights(const std::filesystem::path& directory, const std::string& model_type, std::int64_t vocab_size,
                        std::int64_t num_layers) {
  LlamaConfig config;
  config.model_type = model_type;
  config.qkv_bias = model_type == "qwen2";
  config.qk_norm = model_type == "qwen3";
  config.vocab_size = vocab_size;
  config.hidden_size = 32;
  config.intermediate_size = 64;
  config.num_layers = num_layers;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 8;
  config.max_position_embeddings = 8192;
  config.tie_word_embeddings = true;
  config.eos_token_ids = {258};
  const auto self = make_self_communicator();
  DecoderModel model(config, {}, *self);
  model.initialize_random(1);
  save_hugging_face(directory, model, {}, *self);
}

void write_tiny_model(const std::filesystem::path& directory, std::int64_t num_layers) {
  write_tiny_weights(directory, "llama", 259, num_layers);
  BpeTables tables;
  for (int byte = 0; byte < 256; ++byte)
    tables.pieces.push_back(to_byte_alphabet(std::string(1, static_cast<char>(byte))));
  tables.pieces.insert(tables.pieces.end(), {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
  tables.control_ids = {256, 257, 258};
  tables.pre_tokenizer = "gpt2";
  write_bpe_tokenizer(directory, tables, "<|im_start|>", "<|im_end|>", "<|im_end|>", "<|endoftext|>", "");
}

}  // namespace entune::test
