#include "data/tokens/tokenizer_export.h"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "data/tokens/chat_encoder.h"
#include "data/tokens/sentencepiece_tables.h"
#include "tests/data/tokens/transformers_chats.h"
#include "tests/support/temporary_directory.h"

namespace entune::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

const fs::path kFixtures = fs::path(ENTUNE_SOURCE_DIR) / "tests/data/tokens/fixtures";
const fs::path kRealMistral =
    fs::path(ENTUNE_SOURCE_DIR).parent_path() / "shared/data/tokenizers/mistral-7b-instruct-v0.2";

/// A model directory as it is published, and the family in which it is trained.
struct Case {
  std::string family;
  fs::path tokenizer;            // directory of tokenizer.model or tokenizer.json
  std::string model_type;        // of config.json
  json config = json::object();  // tokenizer_config.json
  json added = nullptr;          // added_tokens.json
  std::string name() const { return family + "-" + tokenizer.filename().string() + (added.is_null() ? "" : "-added"); }
};

/// Llama 2's form of a token: `normalized` would make transformers look for it behind a space.
json old_token(const char* spelling) {
  return {{"__type", "AddedToken"}, {"content", spelling}, {"lstrip", false},
          {"normalized", true},     {"rstrip", false},     {"single_word", false}};
}

json llama_config(bool legacy) {
  return {{"tokenizer_class", "LlamaTokenizer"}, {"legacy", legacy},      {"bos_token", old_token("<s>")},
          {"eos_token", old_token("</s>")},      {"unk_token", "<unk>"},  {"add_bos_token", true},
          {"add_prefix_space", nullptr},         {"sp_model_kwargs", {}}, {"pad_token", nullptr},
          {"clean_up_tokenization_spaces", true}};
}

std::vector<Case> cases() {
  const json yi = {{"tokenizer_class", "LlamaTokenizer"}, {"legacy", true},       {"bos_token", "<|startoftext|>"},
                   {"eos_token", "<|im_end|>"},           {"unk_token", "<unk>"}, {"add_bos_token", false}};
  const json gpt2 = {{"tokenizer_class", "GPT2Tokenizer"},
                     {"bos_token", "<|im_start|>"},
                     {"eos_token", "<|im_end|>"},
                     {"clean_up_tokenization_spaces", true}};
  const json llama3 = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"bos_token", "<|begin_of_text|>"},
                       {"eos_token", "<|end_of_text|>"},
                       {"clean_up_tokenization_spaces", true}};
  const json qwen = {{"tokenizer_class", "Qwen2Tokenizer"},
                     {"bos_token", nullptr},
                     {"eos_token", "<|im_end|>"},
                     {"pad_token", "<|endoftext|>"},
                     {"add_bos_token", false}};
  std::vector<Case> all = {
      {"mistral", kFixtures / "llama", "mistral", llama_config(false)},
      {"mistral", kFixtures / "llama", "mistral", json::object()},
      {"mistral", kFixtures / "mistral_v3", "mistral", llama_config(false)},
      {"llama2", kFixtures / "llama", "llama", llama_config(true)},
      {"llama2", kFixtures / "llama", "llama", llama_config(false)},
      {"vicuna", kFixtures / "llama", "llama", llama_config(true)},
      {"yi", kFixtures / "yi", "llama", yi},
      {"chatml", kFixtures / "llama", "mistral", llama_config(true), {{"<|im_end|>", 700}, {"<|im_start|>", 701}}},
      {"smollm2", kFixtures / "smollm", "llama", gpt2},
      {"chatml", kFixtures / "smollm", "llama", gpt2},
      {"chatml", kFixtures / "qwen2", "qwen3", qwen},
      {"llama3", kFixtures / "llama3", "llama", llama3},
      {"llama3", kFixtures / "llama31", "llama", llama3},
      {"qwen", kFixtures / "qwen2", "qwen2", qwen},
      {"qwen", kFixtures / "qwen3", "qwen3", qwen},
  };
  if (fs::exists(kRealMistral / "tokenizer.model")) {
    for (const char* family : {"mistral", "llama2", "vicuna"})
      all.push_back({family, kRealMistral, family == std::string("mistral") ? family : "llama", llama_config(true)});
    all.push_back(
        {"chatml", kRealMistral, "mistral", llama_config(true), {{"<|im_end|>", 32000}, {"<|im_start|>", 32001}}});
  }
  if (const char* smollm2 = std::getenv("ENTUNE_SMOLLM2")) all.push_back({"smollm2", smollm2, "llama", gpt2});
  if (const char* v3 = std::getenv("ENTUNE_MISTRAL_V3")) all.push_back({"mistral", v3, "mistral", llama_config(false)});
  return all;
}

/// Writes the case's model directory, with files that must not come through.
void write_source(const Case& one, const fs::path& directory) {
  fs::create_directories(directory);
  for (const char* name : {"tokenizer.model", "tokenizer.json"}) {
    if (!fs::exists(one.tokenizer / name)) continue;
    fs::copy_file(one.tokenizer / name, directory / name);
  }
  write_file(directory / "config.json", json{{"model_type", one.model_type}}.dump());
  if (!one.added.is_null()) write_file(directory / "added_tokens.json", one.added.dump());
  if (one.config.empty()) return;
  json config = one.config;
  config["chat_template"] = "{{ 'not this' }}";
  config["model_max_length"] = 4096;
  write_file(directory / "tokenizer_config.json", config.dump());
  write_file(directory / "chat_template.jinja", "{{ 'nor this' }}");
  write_file(directory / "special_tokens_map.json", json{{"eos_token", old_token("</s>")}}.dump());
}

/// The export, with config.json as save_hugging_face would put it beside it.
ExportedTokenizer write_export(const fs::path& from, const std::string& family, const fs::path& to) {
  const ExportedTokenizer exported = export_tokenizer(from, family);
  fs::create_directories(to);
  for (const auto& [name, content] : exported.files) write_file(to / name, content);
  fs::copy_file(from / "config.json", to / "config.json", fs::copy_options::overwrite_existing);
  return exported;
}

TEST(TokenizerExport, IsReadBackAsTheSameTokenizerAndExportedAlike) {
  for (const Case& one : cases()) {
    const TemporaryDirectory folder;
    write_source(one, folder / "source");
    const ExportedTokenizer exported = write_export(folder / "source", one.family, folder / "out");
    const auto before = load_tokenizer(folder / "source"), after = load_tokenizer(folder / "out");
    ASSERT_EQ(after->vocab_size(), before->vocab_size()) << one.name();
    for (TokenId id = 0; id < before->vocab_size(); ++id) {
      ASSERT_EQ(after->piece(id), before->piece(id)) << one.name();
      ASSERT_EQ(after->control_id(after->piece(id)), before->control_id(before->piece(id))) << one.name() << " " << id;
    }
    const std::string text = "  José\n\n12 e\xCC\x81 <|im_end|></s> 😀 <tool_call> x";
    EXPECT_EQ(after->encode(text), before->encode(text)) << one.name();
    EXPECT_EQ(export_tokenizer(folder / "out", one.family).files, exported.files) << one.name();
    EXPECT_EQ(exported.difference.empty(), one.model_type != "qwen2") << one.name() << exported.difference;
    for (const auto& [name, content] : exported.files) {
      EXPECT_THAT(kExportedTokenizerFiles, testing::Contains(name));
      EXPECT_THAT(content, testing::Not(HasSubstr(" this'"))) << one.name() << " " << name;
    }
    const json config = json::parse(exported.files.at("tokenizer_config.json"));
    EXPECT_EQ(config.at("clean_up_tokenization_spaces"), false);
    EXPECT_EQ(config.contains("model_max_length"), !one.config.empty());
  }
}

TEST(TokenizerExport, TextIsNeitherNormalizedNorCut) {
  const TemporaryDirectory folder;
  write_source({"qwen", kFixtures / "qwen3", "qwen3"}, folder / "source");
  json tokenizer = json::parse(read_file(folder / "source/tokenizer.json"));
  ASSERT_EQ(tokenizer.at("normalizer").at("type"), "NFC");
  tokenizer["truncation"] = {{"max_length", 512}};
  write_file(folder / "source/tokenizer.json", tokenizer.dump());
  const json written = json::parse(export_tokenizer(folder / "source", "qwen").files.at("tokenizer.json"));
  for (const char* field : {"normalizer", "truncation", "padding"}) tokenizer[field] = nullptr;
  EXPECT_EQ(written, tokenizer);
}

TEST(TokenizerExport, ASentencePieceModelOfAnotherKindIsLeftToTransformersAndSaysSo) {
  const TemporaryDirectory folder;
  write_source({"mistral", kFixtures / "llama", "mistral"}, folder / "source");
  std::string model = read_file(folder / "source/tokenizer.model");
  ASSERT_EQ(read_sentencepiece_tables(folder / "source/tokenizer.model")->size(), 700u);
  // In TrainerSpec, model_type (field 3) stands before vocab_size (field 4): 18 02 20 bc 05.
  const std::size_t at = model.find("\x18\x02\x20\xbc\x05");
  ASSERT_NE(at, std::string::npos);
  model[at + 1] = 1;  // unigram
  write_file(folder / "source/tokenizer.model", model);
  const ExportedTokenizer exported = export_tokenizer(folder / "source", "mistral");
  EXPECT_THAT(exported.difference, HasSubstr("not of byte-pair encoding"));
  EXPECT_FALSE(exported.files.contains("tokenizer.json"));
  EXPECT_TRUE(exported.files.contains("tokenizer.model"));
}

TEST(TokenizerExport, DamagedModelsAreRefused) {
  const TemporaryDirectory folder;
  const std::string model = read_file(kFixtures / "llama/tokenizer.model");
  for (std::size_t size = 1; size < model.size(); size += 97) {
    const fs::path file = folder.write("tokenizer.model", model.substr(0, size));
    try {  // cut between two pieces it is a shorter model, without a kind
      EXPECT_FALSE(read_sentencepiece_tables(file).has_value()) << size;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("damaged"));
    }
  }
  const fs::path file =
      folder.write("tokenizer.model", std::string("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11));
  EXPECT_THAT(input_error_of([&] { read_sentencepiece_tables(file); }), HasSubstr("tokenizer.model"));
}

/// Of all families: the directory as a model and, as beside an adapter, without config.json.
TEST(TokenizerExport, TransformersGivesTheIdsOfTraining) {
  const char* python = python_with("transformers");
  if (python == nullptr) GTEST_SKIP() << "missing: ENTUNE_PYTHON, a Python that can import transformers";
  const TemporaryDirectory folder;
  std::vector<ExportedChat> chats;
  for (const Case& one : cases()) {
    const std::string name = one.name() + "-" + std::to_string(chats.size());
    write_source(one, folder / (name + "-source"));
    const std::shared_ptr<const Tokenizer> tokenizer = load_tokenizer(folder / (name + "-source"));
    const std::shared_ptr<const ChatEncoder> encoder = make_chat_encoder(one.family, *tokenizer);
    for (const char* form : {"-model", "-adapter"}) {
      const fs::path to = folder / (name + form);
      write_export(folder / (name + "-source"), one.family, to);
      const bool is_model = form == std::string("-model");
      if (!is_model) fs::remove(to / "config.json");
      chats.push_back({name + form, to, tokenizer, encoder, is_model && one.model_type == "qwen2"});
    }
  }
  expect_same_chats(python, ENTUNE_SOURCE_DIR, chats, 60, 1);
}

}  // namespace
}  // namespace entune::test
