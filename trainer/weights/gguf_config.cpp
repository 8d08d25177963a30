#include "trainer/weights/gguf_config.h"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "data/input_error.h"

namespace entune {
namespace {

using Strings = std::vector<std::string>;
using Integers = std::vector<std::int64_t>;

void check_size(const GgufFile& file, const std::string& key, std::int64_t value) {
  if (value < 1 || value > std::numeric_limits<std::int32_t>::max()) {
    file.fail_key(key, fmt::format("{}", value));
  }
}

std::int64_t get_size(const GgufFile& file, const std::string& key) {
  const auto value = file.get<std::int64_t>(key);
  check_size(file, key, value);
  return value;
}

std::int64_t get_size_or(const GgufFile& file, const std::string& key, std::int64_t otherwise) {
  const auto value = file.find<std::int64_t>(key).value_or(otherwise);
  check_size(file, key, value);
  return value;
}

/// GGUF holds constants as float32; config.json as decimals. The shortest decimal that gives the same float32: 1e-05,
/// not 9.999999747378752e-06.
double get_constant(const GgufFile& file, const std::string& key, std::optional<double> otherwise) {
  const auto value = file.find<double>(key);
  if (!value && otherwise) {
    return *otherwise;
  }
  if (!value || !(*value > 0.0) || *value > std::numeric_limits<float>::max()) {
    file.fail_key(key, value ? fmt::format("{}", *value) : "no such key");
  }
  return std::stod(fmt::format("{}", static_cast<float>(*value)));
}

std::optional<std::int64_t> find_token_id(const GgufFile& file, const std::string& key, std::int64_t vocab_size) {
  const auto id = file.find<std::int64_t>(key);
  if (id && (*id < 0 || *id >= vocab_size)) {
    file.fail_key(key, fmt::format("{}, not below the vocabulary's size {}", *id, vocab_size));
  }
  return id;
}

void refuse_unsupported(const GgufFile& file) {
  if (const auto architecture = file.get<std::string>("general.architecture"); architecture != "llama") {
    file.fail_key("general.architecture", "another architecture than llama");
  }
  for (const char* key : {"llama.expert_count", "llama.attention.sliding_window"}) {
    if (file.find<std::int64_t>(key).value_or(0) != 0) {
      file.fail_key(key, "a value other than 0, which is not supported");
    }
  }
  if (file.find<std::string>("llama.rope.scaling.type").value_or("none") != "none") {
    file.fail_key("llama.rope.scaling.type", "scaled rotary positions, which are not supported");
  }
}

}  // namespace

LlamaConfig read_gguf_config(const GgufFile& file) {
  refuse_unsupported(file);
  LlamaConfig config;
  config.vocab_size = static_cast<std::int64_t>(file.get<Strings>("tokenizer.ggml.tokens").size());
  config.hidden_size = get_size(file, "llama.embedding_length");
  config.intermediate_size = get_size(file, "llama.feed_forward_length");
  config.num_layers = get_size(file, "llama.block_count");
  config.num_heads = get_size(file, "llama.attention.head_count");
  config.num_kv_heads = get_size_or(file, "llama.attention.head_count_kv", config.num_heads);
  config.head_dim =
      get_size_or(file, "llama.attention.key_length", std::max<std::int64_t>(1, config.hidden_size / config.num_heads));
  config.max_position_embeddings = get_size(file, "llama.context_length");
  config.rms_norm_eps = get_constant(file, "llama.attention.layer_norm_rms_epsilon", std::nullopt);
  config.rope_theta = get_constant(file, "llama.rope.freq_base", 10000.0);
  config.tie_word_embeddings = !file.tensors().contains("output.weight");

  if (config.num_heads % config.num_kv_heads != 0) {
    file.fail_key("llama.attention.head_count_kv",
                  fmt::format("{}, no divisor of {} heads", config.num_kv_heads, config.num_heads));
  }
  if (config.head_dim % 2 != 0) {
    file.fail_key("llama.attention.key_length", fmt::format("an odd head size {}", config.head_dim));
  }
  for (const char* key : {"llama.attention.value_length", "llama.rope.dimension_count"}) {
    if (const auto value = get_size_or(file, key, config.head_dim); value != config.head_dim) {
      file.fail_key(key, fmt::format("{}, where the head size is {}", value, config.head_dim));
    }
  }
  if (const auto size = get_size_or(file, "llama.vocab_size", config.vocab_size); size != config.vocab_size) {
    file.fail_key("llama.vocab_size", fmt::format("{}, where there are {} tokens", size, config.vocab_size));
  }
  config.bos_token_id = find_token_id(file, "tokenizer.ggml.bos_token_id", config.vocab_size);
  config.pad_token_id = find_token_id(file, "tokenizer.ggml.padding_token_id", config.vocab_size);
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const auto id = find_token_id(file, key, config.vocab_size);
    if (id && (config.eos_token_ids.empty() || config.eos_token_ids[0] != *id)) {
      config.eos_token_ids.push_back(*id);
    }
  }
  return config;
}

GgufTokenizer read_gguf_tokenizer(const GgufFile& file) {
  if (const auto model = file.get<std::string>("tokenizer.ggml.model"); model != "gpt2") {
    file.fail_key("tokenizer.ggml.model", "another tokenizer than byte-level BPE ('gpt2')");
  }
  static const std::map<std::string, const char*> kPreTokenizers = {
      {"smollm", "smollm"}, {"gpt-2", "gpt2"}, {"llama-bpe", "llama3"}, {"llama3", "llama3"}, {"qwen2", "qwen2"}};
  const auto pre = kPreTokenizers.find(file.get<std::string>("tokenizer.ggml.pre"));
  if (pre == kPreTokenizers.end()) {
    file.fail_key("tokenizer.ggml.pre", "another pre-tokenizer than smollm, gpt-2, llama-bpe or qwen2");
  }
  if (file.find<bool>("tokenizer.ggml.add_space_prefix").value_or(false)) {
    file.fail_key("tokenizer.ggml.add_space_prefix", "true, which is not supported");
  }

  GgufTokenizer tokenizer;
  tokenizer.tables.pieces = file.get<Strings>("tokenizer.ggml.tokens");
  tokenizer.tables.merges = file.get<Strings>("tokenizer.ggml.merges");
  tokenizer.tables.pre_tokenizer = pre->second;
  tokenizer.tables.ignore_merges = tokenizer.tables.pre_tokenizer == "llama3";
  const auto types = file.get<Integers>("tokenizer.ggml.token_type");
  const std::size_t num_pieces = tokenizer.tables.pieces.size();
  if (types.size() != num_pieces) {
    file.fail_key("tokenizer.ggml.token_type", fmt::format("{} types for {} tokens", types.size(), num_pieces));
  }
  constexpr std::int64_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5;
  for (std::size_t id = 0; id < types.size(); ++id) {
    if (types[id] == kControl || types[id] == kUnknown || types[id] == kUnused) {
      tokenizer.tables.control_ids.push_back(static_cast<TokenId>(id));
    } else if (types[id] == kUserDefined) {
      tokenizer.tables.added_ids.push_back(static_cast<TokenId>(id));
    } else if (types[id] != kNormal) {
      file.fail_key("tokenizer.ggml.token_type",
                    fmt::format("type {} of token {}: a byte-level BPE has types 1 to 5", types[id], id));
    }
  }
  const auto spelling = [&](const char* key) {
    const auto id = find_token_id(file, key, static_cast<std::int64_t>(num_pieces));
    return id ? tokenizer.tables.pieces[static_cast<std::size_t>(*id)] : std::string();
  };
  tokenizer.bos = spelling("tokenizer.ggml.bos_token_id");
  tokenizer.eos = spelling("tokenizer.ggml.eos_token_id");
  tokenizer.pad = spelling("tokenizer.ggml.padding_token_id");
  tokenizer.unk = spelling("tokenizer.ggml.unknown_token_id");
  tokenizer.chat_template = file.find<std::string>("tokenizer.chat_template").value_or("");
  if (!utf8::is_valid(tokenizer.chat_template.begin(), tokenizer.chat_template.end())) {
    file.fail_key("tokenizer.chat_template", "bytes that are not UTF-8");
  }
  return tokenizer;
}

}  // namespace entune
