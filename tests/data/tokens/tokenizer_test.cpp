#include "data/tokens/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <utf8.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/input_error.h"
#include "data/random.h"
#include "data/tokens/byte_alphabet.h"
#include "data/tokens/pre_tokenizer.h"
#include "data/tokens/tokenizer_json.h"

namespace entune {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kSource = ENTUNE_SOURCE_DIR;
const fs::path kFixtures = kSource / "tests/data/tokens/fixtures";
// One for each pre-tokenizer, by its name, and the next models of two of them.
const std::map<std::string, std::string> kBpe = {{"smollm", "smollm"},  {"gpt2", "gpt2"},   {"llama3", "llama3"},
                                                 {"llama31", "llama3"}, {"qwen2", "qwen2"}, {"qwen3", "qwen2"}};

json golden() {
  std::ifstream stream(kFixtures / "golden.json");
  return json::parse(stream);
}

/// A folder of this test's own, removed at its end.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("entune-tokens-" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
  }

 private:
  fs::path path_;
};

/// Up to 40 characters: ASCII, white space, digits, contractions, marks, and anything else that Unicode has room for.
std::string random_text(Random& random) {
  static const std::vector<std::string> kPieces = {
      " ",      "  ",     "\n", "\r\n",    "\t", "'s",   "'LL",        "don't",        "1",
      "23",     "456",    "é",  "e\u0301", "▁",  "</s>", "<|im_end|>", "<|im_start|>", "<tool_call>",
      "<0x0A>", "[INST]", "😀",  "\u00a0",  "李"};
  std::string text;
  for (std::int64_t i = random.below(40); i > 0; --i) {
    switch (random.below(4)) {
      case 0:
        text += random.choice(kPieces);
        break;
      case 1:
        text += static_cast<char>(random.between(' ', '~'));
        break;
      case 2:
        utf8::append(static_cast<char32_t>(random.between(0, 0x24F)), std::back_inserter(text));
        break;
      default: {
        std::int64_t code_point = random.between(0, 0x10FFFF - 0x800);
        if (code_point >= 0xD800) code_point += 0x800;  // no surrogates
        utf8::append(static_cast<char32_t>(code_point), std::back_inserter(text));
      }
    }
  }
  return text;
}

TEST(ByteAlphabet, SpellsEveryByteAndBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(from_byte_alphabet(to_byte_alphabet(all)), all);
  EXPECT_EQ(to_byte_alphabet(" \n"), "ĠĊ");
  EXPECT_EQ(to_byte_alphabet("\xC2\xA0\xC2\xAD"),
            "Âł"
            "ÂŃ");
  EXPECT_EQ(from_byte_alphabet("<|x|>"), "<|x|>");
  for (const char* other : {" ", "\xC2\xAD", "▁", "\xC5\x84", "\xC3"})
    EXPECT_EQ(from_byte_alphabet(other), std::nullopt);
}

TEST(PreTokenizer, CutsAsEachFamilyDoes) {
  const std::string text = "I'LL  pay 1234\n\nit's";
  EXPECT_THAT(PreTokenizer("gpt2").split(text),
              ElementsAre("I", "'", "LL", " ", " pay", " 1234", "\n", "\n", "it", "'s"));
  EXPECT_THAT(PreTokenizer("smollm").split(text),
              ElementsAre("I", "'", "LL", " ", " pay", " ", "1", "2", "3", "4", "\n", "\n", "it", "'s"));
  EXPECT_THAT(PreTokenizer("llama3").split(text),
              ElementsAre("I", "'LL", " ", " pay", " ", "123", "4", "\n\n", "it", "'s"));
  EXPECT_THAT(PreTokenizer("qwen2").split(text),
              ElementsAre("I", "'LL", " ", " pay", " ", "1", "2", "3", "4", "\n\n", "it", "'s"));
  EXPECT_THROW(PreTokenizer("bert"), InputError);
}

TEST(PreTokenizer, CoversEveryText) {
  Random random(7);
  for (const std::string& name : PreTokenizer::names()) {
    const PreTokenizer pre_tokenizer(name);
    for (int i = 0; i < 500; ++i) {
      const std::string text = random_text(random);
      std::string joined;
      for (const std::string_view word : pre_tokenizer.split(text)) {
        ASSERT_FALSE(word.empty());
        joined += word;
      }
      ASSERT_EQ(joined, text);
    }
  }
}

TEST(Tokenizer, GivesTheGoldenIds) {
  const json all = golden();
  for (const auto& [name, cases] : all.at("texts").items()) {
    const auto tokenizer = load_tokenizer(kFixtures / name);
    ASSERT_GT(cases.size(), 40u);
    for (const json& one : cases) {
      const auto text = one.at("text").get<std::string>();
      EXPECT_EQ(tokenizer->encode(text), one.at("ids").get<std::vector<TokenId>>()) << name << ": " << one.at("text");
    }
  }
}

TEST(Tokenizer, DecodesWhatItEncodedAndNeverMakesAControlId) {
  for (const std::string name : {"gpt2", "llama3", "llama31", "qwen2", "qwen3", "llama", "yi", "mistral_v3"}) {
    const auto tokenizer = load_tokenizer(kFixtures / name);
    std::vector<bool> is_control(static_cast<std::size_t>(tokenizer->vocab_size()));
    for (TokenId id = 0; id < tokenizer->vocab_size(); ++id)
      is_control[static_cast<std::size_t>(id)] = tokenizer->control_id(tokenizer->piece(id)) == id;
    EXPECT_GE(std::count(is_control.begin(), is_control.end(), true), 1) << name;
    Random random(11);
    for (int i = 0; i < 2000; ++i) {
      const std::string text = random_text(random);
      const std::vector<TokenId> ids = tokenizer->encode(text);
      ASSERT_EQ(tokenizer->decode(ids), text) << name << " text " << i;
      for (const TokenId id : ids) ASSERT_FALSE(is_control[static_cast<std::size_t>(id)]) << name << " text " << i;
    }
  }
}

TEST(Tokenizer, EncodesItsOwnControlSpellingsAsText) {
  for (const std::string name :
       {"smollm", "gpt2", "llama3", "llama31", "qwen2", "qwen3", "llama", "yi", "mistral_v3"}) {
    const auto tokenizer = load_tokenizer(kFixtures / name);
    for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
      const std::string spelling = tokenizer->piece(id);
      if (tokenizer->control_id(spelling) != id) continue;
      EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{id}), "");
      const std::vector<TokenId> ids = tokenizer->encode("x" + spelling + spelling);
      EXPECT_THAT(ids, testing::Not(testing::Contains(id))) << name << " " << spelling;
      EXPECT_EQ(tokenizer->decode(ids), "x" + spelling + spelling);
    }
  }
}

TEST(Tokenizer, RefusesWhatIsNotUtf8) {
  for (const std::string name : {"gpt2", "llama"}) {
    const auto tokenizer = load_tokenizer(kFixtures / name);
    for (const char* bad : {"ab\xFF", "\xC3", "\xED\xA0\x80", "\xC0\x80"})
      EXPECT_THROW(tokenizer->encode(bad), InputError);
    EXPECT_THROW(tokenizer->decode(std::vector<TokenId>{-1}), InputError);
    EXPECT_THROW(tokenizer->piece(static_cast<TokenId>(tokenizer->vocab_size())), InputError);
  }
}

TEST(Tokenizer, KeepsSentencePiecesOwnSignInText) {
  const json all = golden();
  for (const std::string name : {"llama", "yi"}) {
    const auto tokenizer = load_tokenizer(kFixtures / name);
    for (const json& text : all.at("space_sign_texts"))
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text.get<std::string>())), text);
  }
}

TEST(BpeTokenizer, LeavesOutBytesThatTheVocabularyLacks) {
  const auto tokenizer = load_tokenizer(kFixtures / "smollm");  // made without \x04; its neighbours meet
  EXPECT_EQ(tokenizer->encode("an\x04swer"), tokenizer->encode("answer"));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("\x04")), "");
}

TEST(BpeTokenizer, MergesTheBestPairFirstAndTheLeftmostOfEqualOnes) {
  BpeTables tables;
  tables.pre_tokenizer = "gpt2";
  tables.pieces = {"a", "b", "c", "ab", "bc", "aa", "aab"};
  tables.merges = {"b c", "a a", "a b", "aa b"};
  const auto tokenizer = make_bpe_tokenizer(tables);
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre(0, 4));
  EXPECT_THAT(tokenizer->encode("aaab"), ElementsAre(5, 3));
  EXPECT_THAT(tokenizer->encode("aaaab"), ElementsAre(5, 6));
  EXPECT_THAT(tokenizer->encode(std::string(2001, 'a')).size(), 1001u);
}

TEST(BpeTokenizer, RefusesTablesThatDoNotFit) {
  BpeTables tables;
  tables.pre_tokenizer = "gpt2";
  tables.pieces = {"a", "b", "ab"};
  tables.merges = {"a b"};
  EXPECT_NO_THROW(make_bpe_tokenizer(tables));
  const auto refused = [&](auto change) {
    BpeTables changed = tables;
    change(changed);
    EXPECT_THROW(make_bpe_tokenizer(changed), InputError);
  };
  refused([](BpeTables& t) { t.merges.push_back("a c"); });
  refused([](BpeTables& t) { t.merges.push_back("b a"); });
  refused([](BpeTables& t) { t.merges.push_back("ab"); });
  refused([](BpeTables& t) { t.pieces.push_back("a"); });
  refused([](BpeTables& t) { t.control_ids.push_back(3); });
  refused([](BpeTables& t) { t.control_ids.push_back(2); });  // a merge would make a control token
  refused([](BpeTables& t) { t.control_ids.push_back(-1); });
  refused([](BpeTables& t) { t.pre_tokenizer = "bert"; });
  refused([](BpeTables& t) { t.pieces.push_back("<x>"), t.control_ids = {3}, t.added_ids = {3}; });
}

TEST(TokenizerJson, SurvivesWritingAndReading) {
  const Folder folder;
  Random random(3);
  for (const auto& [name, pre_tokenizer] : kBpe) {
    const BpeTables tables = read_tokenizer_json(kFixtures / name / "tokenizer.json");
    EXPECT_EQ(tables.pre_tokenizer, pre_tokenizer);
    write_bpe_tokenizer(folder.path(), tables, "<|b|>", "<|e|>", "", "", "{{ messages }}");
    const BpeTables again = read_tokenizer_json(folder.path() / "tokenizer.json");
    EXPECT_EQ(again.pieces, tables.pieces);
    EXPECT_EQ(again.merges, tables.merges);
    EXPECT_EQ(again.pre_tokenizer, tables.pre_tokenizer);
    EXPECT_EQ(again.control_ids, tables.control_ids);
    EXPECT_EQ(again.added_ids, tables.added_ids);
    EXPECT_EQ(again.ignore_merges, tables.ignore_merges);
  }
  std::ifstream stream(folder.path() / "tokenizer_config.json");
  const json config = json::parse(stream);
  EXPECT_EQ(config.at("bos_token"), "<|b|>");
  EXPECT_EQ(config.at("chat_template"), "{{ messages }}");
  EXPECT_FALSE(config.contains("pad_token"));
}

TEST(TokenizerJson, RefusesOtherKindsByName) {
  std::ifstream stream(kFixtures / "smollm/tokenizer.json");
  const json good = json::parse(stream);
  const Folder folder;
  const auto refused = [&](const char* what, auto change) {
    json changed = good;
    change(changed);
    folder.write("tokenizer.json", changed.dump());
    try {
      load_tokenizer(folder.path());
      ADD_FAILURE() << "accepted: " << what;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("tokenizer.json: expected"));
      EXPECT_THAT(error.what(), HasSubstr(what));
    }
  };
  refused("WordPiece", [](json& j) { j["model"]["type"] = "WordPiece"; });
  refused("Unigram", [](json& j) { j["model"]["type"] = "Unigram"; });
  refused("NFKC", [](json& j) { j["normalizer"] = {{"type", "NFKC"}}; });
  refused("Metaspace", [](json& j) { j["pre_tokenizer"] = {{"type", "Metaspace"}}; });
  refused("null", [](json& j) { j["pre_tokenizer"] = nullptr; });
  refused("individual_digits", [](json& j) { j["pre_tokenizer"]["pretokenizers"][0]["individual_digits"] = false; });
  refused("add_prefix_space", [](json& j) { j["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = true; });
  refused("Split pattern", [](json& j) {
    j["pre_tokenizer"]["pretokenizers"][0] = {
        {"type", "Split"}, {"pattern", {{"Regex", "x"}}}, {"behavior", "Isolated"}, {"invert", false}};
    j["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = false;
  });
  refused("Fuse", [](json& j) { j["decoder"] = {{"type", "Fuse"}}; });
  refused("byte_fallback", [](json& j) { j["model"]["byte_fallback"] = true; });
  refused("end_of_word_suffix", [](json& j) { j["model"]["end_of_word_suffix"] = "</w>"; });
  refused("lstrip", [](json& j) { j["added_tokens"][0]["special"] = false, j["added_tokens"][0]["lstrip"] = true; });
  refused("token ids in", [](json& j) { j["model"]["vocab"]["zzz"] = -1; });
  refused("token ids in", [](json& j) { j["model"]["vocab"]["zzz"] = 1ll << 40; });
  refused("one spelling", [](json& j) { j["model"]["vocab"]["zzz"] = 300; });
  refused("another type", [](json& j) { j["model"]["merges"] = {{1, 2}}; });
  refused("\"model\"", [](json& j) { j.erase("model"); });
  folder.write("tokenizer.json", "{\"model\": ");
  EXPECT_THROW(load_tokenizer(folder.path()), InputError);
  folder.write("tokenizer.json", "[]");
  EXPECT_THROW(load_tokenizer(folder.path()), InputError);
  fs::remove(folder.path() / "tokenizer.json");
  EXPECT_THROW(load_tokenizer(folder.path()), InputError);
}

TEST(SentencePieceTokenizer, RefusesDamagedModelsAndPlainAddedTokens) {
  const Folder folder;
  std::ifstream stream(kFixtures / "llama/tokenizer.model", std::ios::binary);
  std::stringstream content;
  content << stream.rdbuf();
  folder.write("tokenizer.model", content.str().substr(0, content.str().size() / 2));
  EXPECT_THROW(load_tokenizer(folder.path()), InputError);
  folder.write("tokenizer.model", content.str());
  const std::int64_t size = load_tokenizer(folder.path())->vocab_size();

  folder.write("added_tokens.json", json{{"<|im_start|>", size}, {"<|im_end|>", size + 1}}.dump());
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_EQ(tokenizer->vocab_size(), size + 2);
  EXPECT_EQ(tokenizer->control_id("<|im_end|>"), size + 1);
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{static_cast<TokenId>(size)}), "");

  folder.write("added_tokens.json", json{{"<pad>", size + 7}}.dump());
  EXPECT_THROW(load_tokenizer(folder.path()), InputError);
  fs::remove(folder.path() / "added_tokens.json");
  const std::string id = std::to_string(size);
  folder.write("tokenizer_config.json",
               json{{"added_tokens_decoder", {{id, {{"content", "word"}, {"special", false}}}}}}.dump());
  EXPECT_THROW(load_tokenizer(folder.path()), InputError);
  folder.write("tokenizer_config.json", json{{"added_tokens_decoder", {{"x", {{"content", "word"}}}}}}.dump());
  EXPECT_THROW(load_tokenizer(folder.path()), InputError);
}

TEST(SentencePieceTokenizer, LeavesOutSpecialTokensThatTheModelHasNoRowFor) {
  const Folder folder;
  fs::copy_file(kFixtures / "llama/tokenizer.model", folder.path() / "tokenizer.model");
  const std::int64_t size = load_tokenizer(folder.path())->vocab_size();
  const auto load = [&](std::int64_t vocab_size) {
    folder.write("config.json", json{{"model_type", "llama"}, {"vocab_size", vocab_size}}.dump());
    return load_tokenizer(folder.path());
  };
  json infill;  // CodeLlama's
  for (const char* mark : {"\xE2\x96\x81<PRE>", "\xE2\x96\x81<MID>", "\xE2\x96\x81<SUF>", "\xE2\x96\x81<EOT>"})
    infill[mark] = size + static_cast<std::int64_t>(infill.size());
  folder.write("added_tokens.json", infill.dump());
  EXPECT_EQ(load(size)->vocab_size(), size);
  EXPECT_EQ(load(size)->control_id("\xE2\x96\x81<PRE>"), std::nullopt);
  EXPECT_EQ(load(size + 3)->vocab_size(), size + 3);
  EXPECT_EQ(load(size + 4)->control_id("\xE2\x96\x81<EOT>"), size + 3);
  EXPECT_EQ(load(size - 1)->vocab_size(), size) << "the sentencepiece model's own pieces stay, for the model to refuse";

  folder.write(
      "tokenizer_config.json",
      json{{"added_tokens_decoder", {{std::to_string(size), {{"content", "word"}, {"special", false}}}}}}.dump());
  EXPECT_THROW(load(size), InputError) << "a plain token is one that text can give";
}

TEST(SentencePieceTokenizer, RealMistralModel) {
  const fs::path directory = kSource.parent_path() / "shared/data/tokenizers/mistral-7b-instruct-v0.2";
  if (!fs::exists(directory / "tokenizer.model")) GTEST_SKIP() << "missing: " << directory;
  const auto tokenizer = load_tokenizer(directory);
  EXPECT_EQ(tokenizer->vocab_size(), 32000);
  EXPECT_EQ(tokenizer->control_id("<s>"), 1);
  EXPECT_EQ(tokenizer->control_id("</s>"), 2);
  EXPECT_THAT(tokenizer->encode("[INST]"), ElementsAre(733, 16289, 28793));
  EXPECT_EQ(tokenizer->encode("{\"").front(), 9830);
  EXPECT_EQ(tokenizer->encode("<PERSON>").front(), 523);
  EXPECT_THAT(tokenizer->encode("\n"), ElementsAre(28705, 13));
  Random random(5);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = random_text(random);
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << i;
  }
}

/// SmolLM2's tokenizer, where it is at hand: set ENTUNE_SMOLLM2 to a directory with its tokenizer.json.
TEST(BpeTokenizer, RealSmolLM2) {
  const char* directory = std::getenv("ENTUNE_SMOLLM2");
  if (directory == nullptr) GTEST_SKIP() << "missing: ENTUNE_SMOLLM2, a directory with SmolLM2's tokenizer.json";
  const auto tokenizer = load_tokenizer(directory);
  EXPECT_THAT(tokenizer->encode("Hello John, call 555-1234"),
              ElementsAre(19556, 2322, 28, 946, 216, 37, 37, 37, 29, 33, 34, 35, 36));
}

}  // namespace
}  // namespace entune
