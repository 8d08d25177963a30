#include "trainer/weights/gguf_import.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <array>
#include <bit>
#include <functional>
#include <random>

#include "data/tokens/tokenizer.h"
#include "tests/trainer/weights/gguf_builder.h"
#include "trainer/weights/gguf_dequantize.h"
#include "trainer/weights/gguf_file.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/safetensors_reader.h"

namespace entune {
namespace {

using test::bytes_of;
using test::GgufBuilder;
using test::input_error_of;
using test::TemporaryDirectory;
using ::testing::HasSubstr;

constexpr std::uint32_t kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ5_0 = 6, kQ5_1 = 7, kQ8_0 = 8, kQ4_K = 12,
                        kBF16 = 30;
constexpr std::uint16_t kHalfOne = 0x3c00, kHalfTwo = 0x4000, kHalfMinusHalf = 0xb800, kHalfQuarter = 0x3400;

std::vector<float> dequantize(std::uint32_t type, const std::string& block, std::int64_t num_blocks = 1) {
  std::vector<float> values(static_cast<std::size_t>(num_blocks * find_gguf_type(type)->block_values));
  EXPECT_EQ(static_cast<std::int64_t>(block.size()), num_blocks * find_gguf_type(type)->block_bytes);
  dequantize_gguf(type, reinterpret_cast<const std::byte*>(block.data()), num_blocks, values.data());
  return values;
}

/// Byte j holds the nibbles j (value j) and 15 - j (value j + 16).
std::string nibbles() {
  std::string bytes;
  for (int j = 0; j < 16; ++j) {
    bytes += static_cast<char>(j | (15 - j) << 4);
  }
  return bytes;
}

TEST(GgufDequantize, Floats) {
  EXPECT_THAT(dequantize(kF32, bytes_of(1.25F) + bytes_of(-3.0F), 2), ::testing::ElementsAre(1.25F, -3.0F));
  EXPECT_THAT(dequantize(kF16, bytes_of(kHalfMinusHalf) + bytes_of<std::uint16_t>(1), 2),
              ::testing::ElementsAre(-0.5F, 0x1p-24F));
  EXPECT_THAT(dequantize(kBF16, bytes_of<std::uint16_t>(0x4049), 1), ::testing::ElementsAre(3.140625F));
}

TEST(GgufDequantize, FourBits) {
  const auto q4_0 = dequantize(kQ4_0, bytes_of(kHalfTwo) + nibbles());
  const auto q4_1 = dequantize(kQ4_1, bytes_of(kHalfTwo) + bytes_of(kHalfMinusHalf) + nibbles());
  for (int j = 0; j < 16; ++j) {
    EXPECT_EQ(q4_0[j], 2.0F * static_cast<float>(j - 8));
    EXPECT_EQ(q4_0[j + 16], 2.0F * static_cast<float>(7 - j));
    EXPECT_EQ(q4_1[j], 2.0F * static_cast<float>(j) - 0.5F);
    EXPECT_EQ(q4_1[j + 16], 2.0F * static_cast<float>(15 - j) - 0.5F);
  }
}

TEST(GgufDequantize, FiveBits) {
  const std::uint32_t high = 0x80010001U;  // values 0, 16 and 31 have their fifth bit set
  const auto q5_0 = dequantize(kQ5_0, bytes_of(kHalfQuarter) + bytes_of(high) + nibbles());
  const auto q5_1 = dequantize(kQ5_1, bytes_of(kHalfQuarter) + bytes_of(kHalfOne) + bytes_of(high) + nibbles());
  for (int i = 0; i < 32; ++i) {
    const int low = i < 16 ? i : 15 - (i - 16);
    const int value = low + (i == 0 || i == 16 || i == 31 ? 16 : 0);
    EXPECT_EQ(q5_0[i], 0.25F * static_cast<float>(value - 16)) << i;
    EXPECT_EQ(q5_1[i], 0.25F * static_cast<float>(value) + 1.0F) << i;
  }
}

TEST(GgufDequantize, EightBits) {
  std::string block = bytes_of(kHalfQuarter);
  for (int i = 0; i < 32; ++i) {
    block += static_cast<char>(i == 0 ? -128 : i - 16);
  }
  const auto values = dequantize(kQ8_0, block);
  EXPECT_EQ(values[0], -32.0F);
  for (int i = 1; i < 32; ++i) {
    EXPECT_EQ(values[i], 0.25F * static_cast<float>(i - 16));
  }
}

std::string floats(const at::Tensor& values) {
  const at::Tensor contiguous = values.to(at::kFloat).contiguous();
  return {static_cast<const char*>(contiguous.data_ptr()), contiguous.nbytes()};
}

/// One layer, hidden 32, 4 heads of 8, 2 kv heads, intermediate 64, 6 tokens; a choice for each thing that tests vary.
struct TinyModel {
  std::string architecture = "llama";
  std::string pre_tokenizer = "smollm";
  bool tied = true;
  std::vector<std::int32_t> token_types = {3, 3, 3, 1, 1, 1};
  std::function<void(GgufBuilder&)> more = [](GgufBuilder&) {};
  at::Tensor query = at::arange(32 * 32, at::kFloat).view({32, 32}) / 7;
  at::Tensor key = at::arange(16 * 32, at::kFloat).view({16, 32}) / 5;
  at::Tensor embedding = at::arange(6 * 32, at::kFloat).view({6, 32}) / 3;

  std::string file() const {
    GgufBuilder gguf;
    gguf.add_string("general.architecture", architecture);
    gguf.add_uint32("llama.block_count", 1);
    gguf.add_uint32("llama.context_length", 128);
    gguf.add_uint32("llama.embedding_length", 32);
    gguf.add_uint32("llama.feed_forward_length", 64);
    gguf.add_uint32("llama.attention.head_count", 4);
    gguf.add_uint32("llama.attention.head_count_kv", 2);
    gguf.add_float("llama.rope.freq_base", 50000.0F);
    gguf.add_float("llama.attention.layer_norm_rms_epsilon", 1e-5F);
    gguf.add_string("tokenizer.ggml.model", "gpt2");
    gguf.add_string("tokenizer.ggml.pre", pre_tokenizer);
    gguf.add_strings("tokenizer.ggml.tokens", {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "a", "b", "ab"});
    gguf.add_int32s("tokenizer.ggml.token_type", token_types);
    gguf.add_strings("tokenizer.ggml.merges", {"a b"});
    gguf.add_uint32("tokenizer.ggml.bos_token_id", 1);
    gguf.add_uint32("tokenizer.ggml.eos_token_id", 2);
    gguf.add_string("tokenizer.chat_template", "{{ messages }}");
    gguf.add_tensor("token_embd.weight", {32, 6}, kF32, floats(embedding));
    gguf.add_tensor("output_norm.weight", {32}, kF32, floats(at::full({32}, 1.5)));
    if (!tied) {
      gguf.add_tensor("output.weight", {32, 6}, kF32, floats(-embedding));
    }
    gguf.add_tensor("blk.0.attn_norm.weight", {32}, kF32, floats(at::ones({32})));
    gguf.add_tensor("blk.0.attn_q.weight", {32, 32}, kF32, floats(query));
    gguf.add_tensor("blk.0.attn_k.weight", {32, 16}, kF32, floats(key));
    gguf.add_tensor("blk.0.attn_v.weight", {32, 16}, kF32, floats(key));
    gguf.add_tensor("blk.0.attn_output.weight", {32, 32}, kF32, floats(query));
    gguf.add_tensor("blk.0.ffn_norm.weight", {32}, kF32, floats(at::ones({32})));
    std::string blocks;
    for (int i = 0; i < 64; ++i) {
      blocks += bytes_of(kHalfTwo) + bytes_of(kHalfOne) + nibbles();
    }
    gguf.add_tensor("blk.0.ffn_gate.weight", {32, 64}, kQ4_1, blocks);
    gguf.add_tensor("blk.0.ffn_up.weight", {32, 64}, kQ4_1, blocks);
    gguf.add_tensor("blk.0.ffn_down.weight", {64, 32}, kQ4_1, blocks);
    more(gguf);
    return gguf.file();
  }
};

std::string import_error(const std::string& bytes) {
  const TemporaryDirectory directory;
  test::write_file(directory / "m.gguf", bytes);
  std::string error = input_error_of([&] { import_gguf(directory / "m.gguf", directory / "out"); });
  // Whatever was refused, nothing half-made stays.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), error.empty() ? 2 : 1);
  return error;
}

at::Tensor read_tensor(const std::filesystem::path& directory, const std::string& name) {
  const SafetensorsReader reader(directory / "model.safetensors");
  EXPECT_EQ(reader.header().tensors.at(name).dtype, "BF16");
  at::Tensor tensor = at::empty(reader.header().tensors.at(name).shape);
  reader.read(name, {}, tensor);
  return tensor;
}

TEST(GgufImport, WritesADirectoryThatOursReads) {
  const TemporaryDirectory directory;
  const auto out = directory / "new" / "model/";
  const TinyModel tiny;
  test::write_file(directory / "m.gguf", tiny.file());
  std::int64_t last = 0, all = 0;
  import_gguf(directory / "m.gguf", out, [&](std::int64_t done, std::int64_t total) {
    EXPECT_GT(done, last);
    last = done;
    all = total;
  });
  EXPECT_EQ(last, all);
  EXPECT_EQ(all, 6 * 32 + 3 * 32 + 2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32);

  const LlamaConfig config = read_llama_config(out);
  EXPECT_EQ(config.model_type, "llama");
  EXPECT_EQ(config.vocab_size, 6);
  EXPECT_EQ(config.hidden_size, 32);
  EXPECT_EQ(config.intermediate_size, 64);
  EXPECT_EQ(config.num_layers, 1);
  EXPECT_EQ(config.num_heads, 4);
  EXPECT_EQ(config.num_kv_heads, 2);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.max_position_embeddings, 128);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);  // the decimal, not the float32 nearest to it
  EXPECT_EQ(config.rope_theta, 50000.0);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_THAT(config.eos_token_ids, ::testing::ElementsAre(2));
  EXPECT_EQ(config.pad_token_id, std::nullopt);

  // One head's rows 0 1 2 3 4 5 6 7 are the pairs (0,0) (0,1) (1,0) (1,1) ...: rotate-half order is 0 2 4 6 1 3 5 7.
  const at::Tensor head = at::tensor({0, 2, 4, 6, 1, 3, 5, 7}, at::kLong);
  const at::Tensor order = (at::arange(4, at::kLong).view({4, 1}) * 8 + head).view({-1});
  EXPECT_TRUE(at::equal(read_tensor(out, "model.layers.0.self_attn.q_proj.weight"),
                        tiny.query.index_select(0, order).to(at::kBFloat16).to(at::kFloat)));
  EXPECT_TRUE(at::equal(read_tensor(out, "model.layers.0.self_attn.k_proj.weight"),
                        tiny.key.index_select(0, order.narrow(0, 0, 16)).to(at::kBFloat16).to(at::kFloat)));
  EXPECT_TRUE(
      at::equal(read_tensor(out, "model.layers.0.self_attn.v_proj.weight"), tiny.key.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_TRUE(at::equal(read_tensor(out, "model.layers.0.self_attn.o_proj.weight"),
                        tiny.query.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_TRUE(at::equal(read_tensor(out, "model.norm.weight"), at::full({32}, 1.5)));
  const at::Tensor low = at::arange(16, at::kFloat) * 2 + 1;
  EXPECT_TRUE(
      at::equal(read_tensor(out, "model.layers.0.mlp.down_proj.weight"), at::cat({low, low.flip(0)}).repeat({32, 2})));

  const auto tokenizer = load_tokenizer(out);
  EXPECT_THAT(tokenizer->encode("abba"), ::testing::ElementsAre(5, 4, 3));
  EXPECT_EQ(tokenizer->control_id("<|im_end|>"), 2);
  EXPECT_THAT(test::read_file(out / "tokenizer_config.json"), HasSubstr("{{ messages }}"));
}

TEST(GgufImport, RoundsToTheNearestBfloat16TiesToEven) {
  const TemporaryDirectory directory;
  TinyModel tiny;
  tiny.embedding = at::zeros({6, 32});
  const std::array<std::uint32_t, 4> bits = {0x3f808000U, 0x3f818000U, 0x3f808001U, 0x3f807fffU};
  const std::array<std::uint32_t, 4> rounded = {0x3f800000U, 0x3f820000U, 0x3f810000U, 0x3f800000U};
  for (int i = 0; i < 4; ++i) {
    tiny.embedding[0][i] = std::bit_cast<float>(bits[i]);
  }
  test::write_file(directory / "m.gguf", tiny.file());
  import_gguf(directory / "m.gguf", directory / "out");
  const at::Tensor embedding = read_tensor(directory / "out", "model.embed_tokens.weight");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(embedding[0][i].item<float>(), std::bit_cast<float>(rounded[i])) << i;
  }
}

TEST(GgufImport, KeepsAnUntiedHead) {
  const TemporaryDirectory directory;
  TinyModel tiny;
  tiny.tied = false;
  test::write_file(directory / "m.gguf", tiny.file());
  import_gguf(directory / "m.gguf", directory / "out");
  EXPECT_FALSE(read_llama_config(directory / "out").tie_word_embeddings);
  EXPECT_TRUE(at::equal(read_tensor(directory / "out", "lm_head.weight"),
                        -read_tensor(directory / "out", "model.embed_tokens.weight")));
}

TEST(GgufImport, RefusesByNameWhatItDoesNotKnow) {
  EXPECT_EQ(import_error(TinyModel{}.file()), "");
  const auto with = [](auto change) {
    TinyModel tiny;
    change(tiny);
    return import_error(tiny.file());
  };
  const auto with_value = [&](const std::string& key, std::uint32_t type, const std::string& value) {
    return with([&](TinyModel& tiny) { tiny.more = [&](GgufBuilder& gguf) { gguf.add(key, type, value); }; });
  };
  EXPECT_THAT(with([](TinyModel& tiny) { tiny.architecture = "qwen2"; }), HasSubstr("general.architecture"));
  EXPECT_THAT(with([](TinyModel& tiny) { tiny.pre_tokenizer = "default"; }), HasSubstr("tokenizer.ggml.pre"));
  EXPECT_THAT(with([](TinyModel& tiny) { tiny.token_types = {3, 3, 3, 1, 1, 6}; }), HasSubstr("type 6 of token 5"));
  EXPECT_THAT(with([](TinyModel& tiny) { tiny.token_types = {3, 3, 3, 1, 1}; }), HasSubstr("5 types for 6 tokens"));
  EXPECT_THAT(with_value("llama.rope.scaling.type", 8, GgufBuilder::text("linear")),
              HasSubstr("llama.rope.scaling.type"));
  EXPECT_THAT(with_value("llama.expert_count", 4, bytes_of<std::uint32_t>(8)), HasSubstr("llama.expert_count"));
  EXPECT_THAT(with_value("llama.rope.dimension_count", 4, bytes_of<std::uint32_t>(4)),
              HasSubstr("where the head size is 8"));
  EXPECT_THAT(with_value("llama.vocab_size", 4, bytes_of<std::uint32_t>(7)), HasSubstr("7, where there are 6 tokens"));
  EXPECT_THAT(with_value("llama.vocab_size", 8, GgufBuilder::text("6")), HasSubstr("another type"));
  EXPECT_THAT(with_value("llama.context_length", 4, bytes_of<std::uint32_t>(6)),
              HasSubstr("'llama.context_length' twice"));
  EXPECT_THAT(with_value("general.alignment", 4, bytes_of<std::uint32_t>(48)), HasSubstr("48, not a power of two"));
  EXPECT_THAT(with([](TinyModel& tiny) {
                tiny.more = [](GgufBuilder& gguf) {
                  gguf.add_tensor("blk.0.attn_q.bias", {32}, kF32, std::string(128, '\0'));
                };
              }),
              HasSubstr("biases"));
  EXPECT_THAT(with([](TinyModel& tiny) {
                tiny.more = [](GgufBuilder& gguf) { gguf.add_tensor("x", {256}, kQ4_K, std::string(144, '\0')); };
              }),
              HasSubstr("found Q4_K"));
  EXPECT_THAT(with([](TinyModel& tiny) {
                tiny.more = [](GgufBuilder& gguf) { gguf.add_tensor("x", {33}, kQ8_0, std::string(34, '\0')); };
              }),
              HasSubstr("multiple of 32 values for Q8_0"));
}

TEST(GgufImport, RefusesATargetThatHoldsFiles) {
  const TemporaryDirectory directory;
  test::write_file(directory / "m.gguf", TinyModel{}.file());
  std::filesystem::create_directory(directory / "out");
  import_gguf(directory / "m.gguf", directory / "out");  // empty: taken
  EXPECT_THAT(input_error_of([&] { import_gguf(directory / "m.gguf", directory / "out"); }),
              HasSubstr("new or empty directory"));
  EXPECT_THAT(input_error_of([&] { import_gguf(directory / "m.gguf", directory / "m.gguf"); }),
              HasSubstr("new or empty directory"));
}

TEST(GgufFile, RefusesDamageWithItsPlace) {
  const std::string good = TinyModel{}.file();
  EXPECT_THAT(import_error("GGU"), HasSubstr("byte 0: expected a GGUF file"));
  EXPECT_THAT(import_error("GGML" + good.substr(4)), HasSubstr("byte 0: expected a GGUF file"));
  EXPECT_THAT(import_error("GGUF" + bytes_of<std::uint32_t>(1) + good.substr(8)),
              HasSubstr("byte 4: expected GGUF version 2 or 3"));
  EXPECT_THAT(import_error("GGUF" + bytes_of<std::uint32_t>(0x03000000) + good.substr(8)), HasSubstr("little-endian"));
  const auto with_counts = [&](std::uint64_t tensors, std::uint64_t values) {
    return import_error(good.substr(0, 8) + bytes_of(tensors) + bytes_of(values) + good.substr(24));
  };
  EXPECT_THAT(with_counts(std::uint64_t{1} << 60, 16), HasSubstr("expected"));
  EXPECT_THAT(with_counts(11, std::uint64_t{1} << 60), HasSubstr("byte 24: expected key/values that fit the file"));
  GgufBuilder long_string;
  long_string.add("k", 8, bytes_of(std::uint64_t{1} << 62) + "abc");
  EXPECT_THAT(import_error(long_string.file()), HasSubstr("byte 45: expected a string's bytes that fit the file"));
  GgufBuilder long_array;
  long_array.add("k", 9, bytes_of<std::uint32_t>(10) + bytes_of((std::uint64_t{1} << 61) + 1) + std::string(8, 'x'));
  EXPECT_THAT(import_error(long_array.file()), HasSubstr("expected array items that fit the file"));
  GgufBuilder nested;
  nested.add("k", 9,
             bytes_of<std::uint32_t>(9) + bytes_of<std::uint64_t>(1) + bytes_of<std::uint32_t>(4) +
                 bytes_of<std::uint64_t>(0));
  EXPECT_THAT(import_error(nested.file()), HasSubstr("no array within an array"));
  GgufBuilder huge;
  huge.add_tensor("x", {std::uint64_t{1} << 33, std::uint64_t{1} << 33}, kF32, "");
  EXPECT_THAT(import_error(huge.file()), HasSubstr("fits a file"));
  GgufBuilder overflowing_bytes;
  overflowing_bytes.add_tensor("x", {std::uint64_t{1} << 62}, kF32, "");
  EXPECT_THAT(import_error(overflowing_bytes.file()), HasSubstr("fits a file"));
  EXPECT_THAT(import_error(good.substr(0, good.size() - 1)), HasSubstr("fetch the file again"));
  GgufBuilder control_characters;
  control_characters.add_tensor("\x1b[2J", {256}, kQ4_K, "");
  EXPECT_THAT(import_error(control_characters.file()), HasSubstr("'?[2J'"));
}

TEST(GgufFile, TensorsMayNotShareBytes) {
  GgufBuilder gguf;
  gguf.add_tensor("first", {16}, kF32, std::string(64, '\0'));
  gguf.add_tensor("second", {16}, kF32, std::string(64, '\0'));
  std::string bytes = gguf.file();
  const std::size_t offset = gguf.header().size() - 8;  // of the second tensor: 64
  bytes[offset] = 32;
  EXPECT_THAT(import_error(bytes), HasSubstr("overlap"));
  bytes[offset] = 33;
  EXPECT_THAT(import_error(bytes), HasSubstr("at a multiple of 32"));
}

TEST(GgufFile, NeverCrashesOnMutatedFiles) {
  const TemporaryDirectory directory;
  const std::string good = TinyModel{}.file();
  const std::size_t header_bytes = good.find("blk.0.ffn_down.weight") + 60;
  std::mt19937_64 random(11);
  int refused = 0, accepted = 0;
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good;
    for (int i = 0; i <= round % 4; ++i) {
      const std::size_t place = random() % header_bytes;
      if (round % 2 == 0) {
        bytes[place] = static_cast<char>(random());
      } else {  // a whole number of the file becomes an extreme one
        const std::uint64_t extreme = random() % 3 == 0 ? ~std::uint64_t{0} : std::uint64_t{1} << random() % 64;
        bytes.replace(place, 8, bytes_of(extreme));
      }
    }
    if (round % 7 == 0) {
      bytes.resize(random() % bytes.size());
    }
    test::write_file(directory / "m.gguf", bytes);
    std::filesystem::remove_all(directory / "out");
    try {
      import_gguf(directory / "m.gguf", directory / "out");
      ++accepted;
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 150);
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace entune
