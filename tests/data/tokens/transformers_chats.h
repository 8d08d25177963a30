#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "data/tokens/chat_encoder.h"
#include "tests/data/tokens/command_output.h"

namespace entune::test {

/// A directory with a tokenizer's files and what Entune trained with before they were written.
struct ExportedChat {
  std::string name;
  std::filesystem::path directory;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatEncoder> encoder;
  bool normalized_there = false;  ///< transformers' class for the model changes texts to Unicode's form NFC
};

inline std::vector<Turn> turns_of(const nlohmann::json& list) {
  std::vector<Turn> turns;
  for (const nlohmann::json& turn : list) {
    const auto role = turn.at(0).get<std::string>();
    const Role typed = role == "system" ? Role::system : role == "user" ? Role::user : Role::assistant;
    turns.push_back({typed, turn.at(1).get<std::string>()});
  }
  return turns;
}

/// Holds the ids by transformers (chat_with_transformers.py: plain texts, conversations, `count` of each) to
/// Entune's. `source`: ENTUNE_SOURCE_DIR.
inline void expect_same_chats(const std::string& python, const std::filesystem::path& source,
                              const std::vector<ExportedChat>& chats, int count, int seed) {
  using Ids = std::vector<TokenId>;
  const std::filesystem::path script = source / "tests/data/tokens/chat_with_transformers.py";
  std::string command =
      "'" + python + "' '" + script.string() + "' " + std::to_string(count) + " " + std::to_string(seed);
  for (const ExportedChat& chat : chats) command += " '" + chat.directory.string() + "'";
  std::istringstream lines(output_of(command));
  std::string line;
  const auto next = [&] { return std::getline(lines, line) ? nlohmann::json::parse(line) : nlohmann::json(); };
  for (const ExportedChat& chat : chats) {
    const nlohmann::json head = next();
    ASSERT_TRUE(head.is_object()) << chat.name;
    EXPECT_EQ(head.at("normalizes"), chat.normalized_there) << chat.name;
    EXPECT_EQ(head.at("eos"), chat.tokenizer->piece(chat.encoder->stop_ids().front())) << chat.name;
    Ids controls;
    for (TokenId id = 0; id < chat.tokenizer->vocab_size(); ++id) {
      if (chat.tokenizer->control_id(chat.tokenizer->piece(id)) == id) controls.push_back(id);
    }
    EXPECT_EQ(head.at("special").get<Ids>(), controls) << chat.name;
    bool failed = false;  // the rest of its lines is skipped then
    for (int i = 0; i < 3 * count; ++i) {
      const nlohmann::json one = next();
      ASSERT_TRUE(one.is_object()) << chat.name << " after " << i;
      if (failed) continue;
      const auto compare = [&](const Ids& ours, const char* theirs, const std::string& what) {
        EXPECT_EQ(ours, one.at(theirs).get<Ids>()) << chat.name << ": " << what;
        failed = failed || ours != one.at(theirs).get<Ids>();
      };
      if (one.contains("text")) {
        compare(chat.tokenizer->encode(one.at("text").get<std::string>()), "ids",
                one.at("text").dump() + (one.contains("spelt") ? ", control tokens as text" : ""));
      } else {
        const std::vector<Turn> turns = turns_of(one.at("turns"));
        compare(chat.encoder->encode(turns, std::nullopt).ids, "prompt_ids", one.at("turns").dump());
        compare(chat.encoder->encode(turns, one.at("answer").get<std::string>()).ids, "ids",
                one.at("turns").dump() + " " + one.at("answer").dump());
      }
    }
  }
}

}  // namespace entune::test
