#include "trainer/weights/gguf_import.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "data/input_error.h"
#include "trainer/weights/gguf_config.h"
#include "trainer/weights/gguf_dequantize.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/safetensors_writer.h"
#include "trainer/weights/staged_directory.h"

namespace entune {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{8} << 20;  // of dequantized rows

struct TensorPair {
  std::string from, to;  ///< GGUF's name, Hugging Face's
  std::vector<std::int64_t> shape;
  bool rotary_rows = false;  ///< q and k: the rows of each head are interleaved pairs
};

std::vector<TensorPair> tensor_pairs(const LlamaConfig& config) {
  const std::int64_t hidden = config.hidden_size, middle = config.intermediate_size;
  const std::int64_t queries = config.num_heads * config.head_dim, keys = config.num_kv_heads * config.head_dim;
  std::vector<TensorPair> pairs = {{"token_embd.weight", "model.embed_tokens.weight", {config.vocab_size, hidden}},
                                   {"output_norm.weight", "model.norm.weight", {hidden}}};
  if (!config.tie_word_embeddings) {
    pairs.push_back({"output.weight", "lm_head.weight", {config.vocab_size, hidden}});
  }
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    const std::string from = fmt::format("blk.{}.", layer), to = fmt::format("model.layers.{}.", layer);
    pairs.push_back({from + "attn_norm.weight", to + "input_layernorm.weight", {hidden}});
    pairs.push_back({from + "attn_q.weight", to + "self_attn.q_proj.weight", {queries, hidden}, true});
    pairs.push_back({from + "attn_k.weight", to + "self_attn.k_proj.weight", {keys, hidden}, true});
    pairs.push_back({from + "attn_v.weight", to + "self_attn.v_proj.weight", {keys, hidden}});
    pairs.push_back({from + "attn_output.weight", to + "self_attn.o_proj.weight", {hidden, queries}});
    pairs.push_back({from + "ffn_norm.weight", to + "post_attention_layernorm.weight", {hidden}});
    pairs.push_back({from + "ffn_gate.weight", to + "mlp.gate_proj.weight", {middle, hidden}});
    pairs.push_back({from + "ffn_up.weight", to + "mlp.up_proj.weight", {middle, hidden}});
    pairs.push_back({from + "ffn_down.weight", to + "mlp.down_proj.weight", {hidden, middle}});
  }
  return pairs;
}

void check_tensors(const GgufFile& file, const LlamaConfig& config) {
  // Before anything is built from a layer count that the file made up.
  if (static_cast<std::uint64_t>(config.num_layers) > file.tensors().size()) {
    file.fail_key("llama.block_count", fmt::format("{} for {} tensors", config.num_layers, file.tensors().size()));
  }
  std::set<std::string> expected;
  for (const auto& pair : tensor_pairs(config)) {
    const auto found = file.tensors().find(pair.from);
    if (found == file.tensors().end() || found->second.shape != pair.shape) {
      throw InputError(fmt::format(
          "{}: expected tensor '{}' of shape [{}], found {}", file.path().string(), pair.from,
          fmt::join(pair.shape, ", "),
          found == file.tensors().end() ? "none" : fmt::format("[{}]", fmt::join(found->second.shape, ", "))));
    }
    expected.insert(pair.from);
  }
  for (const auto& [name, tensor] : file.tensors()) {
    if (!expected.contains(name)) {
      throw InputError(fmt::format(
          "{}: byte {}: expected the tensors of a llama model alone, found {} of another name too; biases and rotary "
          "factors are not supported",
          file.path().string(), tensor.offset, fmt::join(tensor.shape, " x ")));
    }
  }
}

/// Rows [row, row + num_rows) as float32 [num_rows, columns].
at::Tensor read_rows(const GgufFile& file, const GgufTensor& tensor, std::int64_t row, std::int64_t num_rows,
                     std::int64_t columns) {
  const GgufType& type = *find_gguf_type(tensor.type);
  const std::int64_t row_blocks = columns / type.block_values;
  std::vector<std::byte> blocks(static_cast<std::size_t>(num_rows * row_blocks * type.block_bytes));
  file.read_at(tensor.offset + static_cast<std::uint64_t>(row * row_blocks * type.block_bytes), blocks.data(),
               blocks.size());
  at::Tensor values = at::empty({num_rows, columns}, at::kFloat);
  dequantize_gguf(tensor.type, blocks.data(), num_rows * row_blocks, values.data_ptr<float>());
  return values;
}

/// GGUF's rows of a head are the pairs (i, 0), (i, 1) for i < D/2; Hugging Face's are all (i, 0), then all (i, 1).
/// rows: whole heads.
at::Tensor rotate_half_order(const at::Tensor& rows, std::int64_t head_dim) {
  const std::int64_t heads = rows.size(0) / head_dim;
  return rows.view({heads, head_dim / 2, 2, rows.size(1)}).transpose(1, 2).reshape({rows.size(0), rows.size(1)});
}

}  // namespace

void import_gguf(const std::filesystem::path& file_path, const std::filesystem::path& to,
                 const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const GgufFile file(file_path);
  const LlamaConfig config = read_gguf_config(file);
  const GgufTokenizer tokenizer = read_gguf_tokenizer(file);
  check_tensors(file, config);

  StagedDirectory directory(to);
  write_llama_config(directory.path(), config, at::kBFloat16);
  write_bpe_tokenizer(directory.path(), tokenizer.tables, tokenizer.bos, tokenizer.eos, tokenizer.pad, tokenizer.unk,
                      tokenizer.chat_template);

  const std::vector<TensorPair> pairs = tensor_pairs(config);
  std::vector<SafetensorsTensor> tensors;
  std::int64_t all_values = 0, values_so_far = 0;
  for (const auto& pair : pairs) {
    tensors.push_back({pair.to, at::kBFloat16, pair.shape});
    all_values += c10::multiply_integers(pair.shape);
  }
  SafetensorsWriter writer(directory.path() / "model.safetensors", tensors);
  for (const auto& pair : pairs) {
    const GgufTensor& tensor = file.tensors().at(pair.from);
    const bool is_vector = pair.shape.size() == 1;
    const std::int64_t rows = is_vector ? 1 : pair.shape[0];
    const std::int64_t columns = pair.shape.back();
    const std::int64_t unit_rows = pair.rotary_rows ? config.head_dim : 1;
    const std::int64_t unit_bytes = unit_rows * columns * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t piece_rows = std::max<std::int64_t>(1, kPieceBytes / unit_bytes) * unit_rows;
    for (std::int64_t row = 0; row < rows; row += piece_rows) {
      at::Tensor values = read_rows(file, tensor, row, std::min(piece_rows, rows - row), columns);
      if (pair.rotary_rows) {
        values = rotate_half_order(values, config.head_dim);
      }
      if (is_vector) {
        writer.write(pair.to, values.view({columns}));
      } else {
        writer.write_rows(pair.to, row, values);
      }
      values_so_far += values.numel();
      if (progress) {
        progress(values_so_far, all_values);
      }
    }
  }
  writer.finish();
  directory.commit();
}

}  // namespace entune
