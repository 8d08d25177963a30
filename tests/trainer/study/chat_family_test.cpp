#include "trainer/study/chat_family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/tokens/chat_encoder.h"
#include "tests/support/temporary_directory.h"

namespace entune::test {
namespace {

using nlohmann::json;

/// A tokenizer that is known by its control tokens alone.
class MarksOnly : public Tokenizer {
 public:
  explicit MarksOnly(std::vector<std::string> marks) : marks_(std::move(marks)) {}
  std::vector<TokenId> encode(std::string_view) const override { return {}; }
  std::string decode(std::span<const TokenId>) const override { return ""; }
  std::string_view bytes(TokenId) const override { return {}; }
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(marks_.size()); }
  std::optional<TokenId> control_id(std::string_view spelling) const override {
    const auto found = std::find(marks_.begin(), marks_.end(), spelling);
    if (found == marks_.end()) return std::nullopt;
    return static_cast<TokenId>(found - marks_.begin());
  }
  std::string piece(TokenId id) const override { return marks_.at(static_cast<std::size_t>(id)); }

 private:
  std::vector<std::string> marks_;
};

const std::vector<std::string> kSentencePiece = {"<s>", "</s>"};
const std::vector<std::string> kMistralV3 = {"<s>", "</s>", "[INST]", "[/INST]"};
const std::vector<std::string> kChatml = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
const std::vector<std::string> kLlama3 = {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
                                          "<|eot_id|>"};

class ChatFamily : public testing::Test {
 protected:
  std::string find(const std::string& model_type, std::int64_t vocab_size,
                   const std::vector<std::string>& marks) const {
    LlamaConfig config;
    config.model_type = model_type;
    config.vocab_size = vocab_size;
    return find_chat_family(folder_.path(), config, MarksOnly(marks)).value_or("unclear");
  }
  void set_template(const std::string& text) const {
    folder_.write("tokenizer_config.json", json{{"chat_template", text}}.dump());
  }
  void set_name(const std::string& name) const { folder_.write("config.json", json{{"_name_or_path", name}}.dump()); }

  TemporaryDirectory folder_;
};

TEST_F(ChatFamily, IsFoundWithoutATemplateWhereTheModelAllowsOneAlone) {
  EXPECT_EQ(find("mistral", 32000, kSentencePiece), "mistral");
  EXPECT_EQ(find("mistral", 32768, kMistralV3), "mistral");
  EXPECT_EQ(find("llama", 128256, kLlama3), "llama3");
  EXPECT_EQ(find("qwen2", 152064, kChatml), "qwen");
  EXPECT_EQ(find("qwen3", 151936, kChatml), "qwen");
  EXPECT_EQ(find("llama", 49152, kChatml), "smollm2");
  EXPECT_EQ(find("llama", 64000, kChatml), "yi");
  // Llama-2, CodeLlama, Vicuna and what else is made of them look alike.
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "unclear");
  EXPECT_EQ(find("llama", 32016, kSentencePiece), "unclear");
  EXPECT_EQ(find("llama", 32768, kChatml), "unclear");
  EXPECT_EQ(find("mistral", 32000, kChatml), "unclear");
  EXPECT_EQ(find("mistral", 32000, {}), "unclear");
  EXPECT_EQ(find("llama", 32000, {}), "unclear");
  EXPECT_EQ(find("qwen2", 152064, kSentencePiece), "unclear");
  EXPECT_EQ(find("qwen3", 152064, kLlama3), "unclear");
}

TEST_F(ChatFamily, LlamasOnOneVocabularyAreToldApartByTheirTemplate) {
  set_template("[INST] <<SYS>> {{ system }} <</SYS>> {{ user }} [/INST]");
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "llama2");  // and CodeLlama-34B-Instruct
  EXPECT_EQ(find("llama", 32016, kSentencePiece), "llama2");  // CodeLlama 7B and 13B Instruct
  EXPECT_EQ(find("mistral", 32000, kSentencePiece), "unclear");
  set_template("{{ system }} USER: {{ user }} ASSISTANT:");
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "vicuna");
  set_template("### USER: {{ user }}");
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "unclear");
  set_template("Source: user {{ user }} <step>");  // CodeLlama-70B-Instruct
  EXPECT_EQ(find("llama", 32016, kSentencePiece), "unclear");
}

TEST_F(ChatFamily, VicunaIsFoundByTheNameInItsConfig) {
  set_name("lmsys/Vicuna-7b-v1.5");
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "vicuna");
  set_template("[INST] <<SYS>> {{ system }}");  // what the template says goes before the name
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "llama2");
  set_template("### {{ user }}");
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "unclear");
  folder_.write("tokenizer_config.json", "{}");
  set_name("meta-llama/Llama-2-7b-hf");
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "unclear");
}

TEST_F(ChatFamily, IsUnclearWhereTheTemplateIsAnothers) {
  set_template("<|user|> {{ user }} <|assistant|>");
  EXPECT_EQ(find("mistral", 32000, kSentencePiece), "unclear");
  EXPECT_EQ(find("mistral", 32768, kMistralV3), "unclear");
  EXPECT_EQ(find("llama", 128256, kLlama3), "unclear");
  EXPECT_EQ(find("qwen2", 152064, kChatml), "unclear");
  EXPECT_EQ(find("llama", 49152, kChatml), "unclear");
  EXPECT_EQ(find("llama", 64000, kChatml), "unclear");
  set_template("<|im_start|> {{ user }}");
  EXPECT_EQ(find("qwen2", 152064, kChatml), "qwen");
  EXPECT_EQ(find("qwen3", 151936, kChatml), "unclear");  // one that never thinks, or always
  EXPECT_EQ(find("llama", 49152, kChatml), "smollm2");
  EXPECT_EQ(find("llama", 64000, kChatml), "yi");
  EXPECT_EQ(find("llama", 128256, kLlama3), "unclear");
  set_template("<|im_start|> {{ user }} {% if enable_thinking %}");
  EXPECT_EQ(find("qwen3", 151936, kChatml), "qwen");
  set_template("<|start_header_id|> {{ user }}");
  EXPECT_EQ(find("llama", 128256, kLlama3), "llama3");
  set_template("[INST] {{ user }} [/INST]");
  EXPECT_EQ(find("mistral", 32000, kSentencePiece), "mistral");
  EXPECT_EQ(find("mistral", 32768, kMistralV3), "mistral");
}

TEST_F(ChatFamily, TheTemplateStandsInAnyOfItsThreePlaces) {
  const std::string form = "[INST] <<SYS>>";
  folder_.write(
      "tokenizer_config.json",
      json{{"chat_template", {{{"name", "default"}, {"template", form}}, {{"name", "rag"}, {"template", ""}}}}}.dump());
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "llama2");
  folder_.write("tokenizer_config.json", json{{"chat_template", nullptr}}.dump());
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "unclear");
  EXPECT_EQ(find("mistral", 32000, kSentencePiece), "mistral");
  folder_.write("chat_template.jinja", form);
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "llama2");
  set_template("USER: ASSISTANT:");  // transformers too takes the file before the field
  EXPECT_EQ(find("llama", 32000, kSentencePiece), "llama2");
}

TEST_F(ChatFamily, DamagedFilesAreRefusedByName) {
  folder_.write("tokenizer_config.json", "{\"chat_template\": ");
  EXPECT_NE(input_error_of([&] { find("llama", 32000, kSentencePiece); }).find("tokenizer_config.json"),
            std::string::npos);
}

TEST_F(ChatFamily, IsAlwaysOneThatHasAnEncoder) {
  set_template("[INST] <<SYS>> <|im_start|> <|start_header_id|> enable_thinking USER: ASSISTANT:");
  for (const char* type : {"llama", "mistral", "qwen2", "qwen3"}) {
    for (const auto& marks : {kSentencePiece, kMistralV3, kChatml, kLlama3}) {
      for (const std::int64_t size : {32000, 49152, 64000}) {
        const std::string found = find(type, size, marks);
        if (found == "unclear") continue;
        EXPECT_EQ(std::count(chat_families().begin(), chat_families().end(), found), 1) << found;
      }
    }
  }
}

}  // namespace
}  // namespace entune::test
