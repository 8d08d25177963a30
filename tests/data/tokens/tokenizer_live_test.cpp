#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "data/tokens/tokenizer.h"
#include "data/tokens/tokenizer_json.h"
#include "tests/data/tokens/command_output.h"
#include "tests/support/temporary_directory.h"

// Our ids against those of the packages themselves: set ENTUNE_PYTHON to a Python that can import them.

namespace entune {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kTests = fs::path(ENTUNE_SOURCE_DIR) / "tests/data/tokens";
const fs::path kFixtures = kTests / "fixtures";
const std::vector<std::string> kBpe = {"smollm", "gpt2", "llama3", "llama31", "qwen2", "qwen3"};

/// What a script of this folder writes, line by line.
std::istringstream lines_of(const std::string& python, const std::string& script, const std::string& arguments) {
  const fs::path file = kTests / script;
  return std::istringstream(test::output_of("'" + python + "' '" + file.string() + "' " + arguments));
}

/// Reads `num_texts` lines, each a text and its ids.
void expect_same_ids(const Tokenizer& tokenizer, std::istream& lines, int num_texts, const std::string& name) {
  for (int i = 0; i < num_texts; ++i) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line)) << name << " after " << i;
    const json one = json::parse(line);
    ASSERT_EQ(tokenizer.encode(one.at("text").get<std::string>()), one.at("ids").get<std::vector<TokenId>>())
        << name << " " << one.at("text");
  }
}

TEST(TokenizerLive, ByteLevelEqualsTheTokenizersPackage) {
  const char* python = test::python_with("tokenizers");
  if (python == nullptr) GTEST_SKIP() << "missing: ENTUNE_PYTHON, a Python that can import tokenizers";
  std::vector<fs::path> directories;
  for (const std::string& name : kBpe) directories.push_back(kFixtures / name);
  if (const char* smollm2 = std::getenv("ENTUNE_SMOLLM2")) directories.emplace_back(smollm2);
  for (const fs::path& directory : directories) {
    std::istringstream lines =
        lines_of(python, "encode_random_texts.py", "'" + (directory / "tokenizer.json").string() + "' 2000 1");
    expect_same_ids(*load_tokenizer(directory), lines, 2000, directory.string());
  }
}

/// Holds transformers on each of `directories` against ours on the fixture of that name: the special tokens, then
/// random texts.
void expect_same_in_transformers(const char* python, const std::vector<fs::path>& directories) {
  constexpr int kNumTexts = 1000;
  std::string arguments = std::to_string(kNumTexts) + " 1";
  for (const fs::path& directory : directories) arguments += " '" + directory.string() + "'";
  std::istringstream lines = lines_of(python, "encode_with_transformers.py", arguments);
  for (const fs::path& directory : directories) {
    const std::string name = directory.filename().string();
    const auto tokenizer = load_tokenizer(kFixtures / name);
    std::set<TokenId> controls;
    for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
      if (tokenizer->control_id(tokenizer->piece(id)) == id) controls.insert(id);
    }
    std::string line;
    ASSERT_TRUE(std::getline(lines, line)) << name;
    std::set<TokenId> specials;
    const json all = json::parse(line);
    for (const auto& [spelling, id] : all.items()) specials.insert(id.get<TokenId>());
    EXPECT_EQ(specials, controls) << name;
    expect_same_ids(*tokenizer, lines, kNumTexts, name);
  }
}

/// What write_bpe_tokenizer() writes, read by transformers.
TEST(TokenizerLive, TransformersGivesTheSameIdsFromTheFilesWritten) {
  const char* python = test::python_with("transformers");
  if (python == nullptr) GTEST_SKIP() << "missing: ENTUNE_PYTHON, a Python that can import transformers";
  const test::TemporaryDirectory folder;
  std::vector<fs::path> directories;
  for (const std::string& name : kBpe) {
    directories.push_back(folder / name);
    fs::create_directory(directories.back());
    const BpeTables tables = read_tokenizer_json(kFixtures / name / "tokenizer.json");
    const std::string& end = tables.pieces.at(static_cast<std::size_t>(tables.control_ids.back()));
    write_bpe_tokenizer(directories.back(), tables, end, end, end, "", "{{ messages }}");
  }
  expect_same_in_transformers(python, directories);
}

}  // namespace
}  // namespace entune
