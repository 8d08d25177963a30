#include "data/constraints/answer_guide.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/formats/output_format.h"
#include "data/formats/writable_text.h"
#include "tests/data/formats/random_examples.h"

namespace entune {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = ENTUNE_SOURCE_DIR;
/// A byte-level vocabulary that lacks some control characters, one that has all bytes, and sentencepiece.
const std::vector<fs::path> kTokenizers = {kSource / "tests/data/tokens/fixtures/smollm",
                                           kSource / "tests/data/tokens/fixtures/llama3",
                                           kSource / "tests/data/tokens/fixtures/llama",
                                           kSource.parent_path() / "shared/data/tokenizers/mistral-7b-instruct-v0.2"};

struct Vocabulary {
  explicit Vocabulary(const fs::path& directory) : tokenizer(load_tokenizer(directory)), pieces(*tokenizer) {}
  std::unique_ptr<Tokenizer> tokenizer;
  PieceTrie pieces;
};

/// The vocabularies that are there, read once.
const std::vector<std::unique_ptr<Vocabulary>>& vocabularies() {
  static const auto all = [] {
    std::vector<std::unique_ptr<Vocabulary>> found;
    for (const fs::path& directory : kTokenizers) {
      if (fs::exists(directory)) found.push_back(std::make_unique<Vocabulary>(directory));
    }
    return found;
  }();
  return all;
}

std::string writable(const std::string& text, const PieceTrie& pieces) {
  return writable_text(text, {.writable = pieces.single_bytes(), .drops_first_space = false, .fewest_tokens = {}});
}

class EveryFormat : public testing::TestWithParam<std::string> {
 protected:
  /// What an untrained model could answer: any allowed token, the stop token sometimes, within `limit` tokens.
  std::vector<TokenId> wander(AnswerGuide& guide, RandomExamples& random, std::int64_t limit) {
    std::vector<TokenId> ids;
    GrammarPoints points = guide.start();
    const std::size_t haste = 1 + random.below(40);
    while (true) {
      const AllowedTokens& allowed = guide.allowed(points);
      std::vector<TokenId> fitting;
      for (std::size_t i = 0; i < allowed.ids.size(); ++i) {
        if (static_cast<std::int64_t>(ids.size()) + 2 + allowed.tokens_to_end[i] <= limit)
          fitting.push_back(allowed.ids[i]);
      }
      if (allowed.may_stop && (fitting.empty() || random.below(haste) == 0)) return ids;
      if (fitting.empty()) {
        ADD_FAILURE() << "no token allowed after " << ids.size() << " of " << limit;
        return ids;
      }
      ids.push_back(fitting[random.below(fitting.size())]);
      points = guide.after(points, ids.back());
    }
  }

  std::unique_ptr<OutputFormat> format_ = make_output_format(GetParam(), test_labels());
};

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat, testing::ValuesIn(output_format_names()),
                         [](const auto& param) { return param.param; });

TEST_P(EveryFormat, WhateverAModelChoosesIsWellFormedAndOfTheText) {
  ASSERT_FALSE(vocabularies().empty());
  for (const auto& vocabulary : vocabularies()) {
    RandomExamples random(11);
    int num_entities = 0, num_unwritable = 0;
    for (int i = 0; i < 500; ++i) {
      const std::string text = random.next().text;
      AnswerGuide guide(*format_, text, *vocabulary->tokenizer, vocabulary->pieces);
      const std::int64_t limit =
          guide.smallest_limit() + static_cast<std::int64_t>(random.below(GetParam().starts_with("json") ? 900 : 120));
      const std::vector<TokenId> ids = wander(guide, random, limit);
      ASSERT_LE(static_cast<std::int64_t>(ids.size()) + 1, limit) << "text " << i;

      const std::string answer = vocabulary->tokenizer->decode(ids);
      const bool is_whole = writable(text, vocabulary->pieces) == text;
      if (!is_whole) ++num_unwritable;
      // What cannot be written is missing from a copy; apart from that nothing may be wrong.
      const ParsedAnswer parsed = format_->parse(answer, text);
      for (std::size_t fault = 0; fault < kNumAnswerFaults; ++fault) {
        if (!is_whole && static_cast<AnswerFault>(fault) == AnswerFault::copy_differs) continue;
        // A line of bio with a word that lacks a character has no place of its own in the text.
        if (!is_whole && GetParam() == "bio" && static_cast<AnswerFault>(fault) == AnswerFault::not_in_text) continue;
        ASSERT_EQ(parsed.faults[fault], 0) << name_of(static_cast<AnswerFault>(fault)) << " in text " << i;
      }
      for (const Mention& mention : parsed.mentions) {
        if (is_whole) {
          ASSERT_TRUE(mention.raw) << "text " << i;
          ASSERT_EQ(mention.raw, mention.repaired) << "text " << i;
        }
      }
      num_entities += static_cast<int>(parsed.mentions.size());
    }
    EXPECT_GT(num_entities, 100);
    EXPECT_LT(num_unwritable, 250);
  }
}

/// Values stand in as many places as the text has characters; what is kept of the states is bounded.
TEST_P(EveryFormat, TextsOfOneCharacterAreAnsweredAsAnyOther) {
  const Vocabulary& vocabulary = *vocabularies().front();
  RandomExamples random(14);
  for (const std::string& text : {std::string(300, 'a'), std::string(300, '['), std::string(300, '"')}) {
    AnswerGuide guide(*format_, text, *vocabulary.tokenizer, vocabulary.pieces);
    const std::vector<TokenId> ids = wander(guide, random, guide.smallest_limit() + 300);
    const ParsedAnswer parsed = format_->parse(vocabulary.tokenizer->decode(ids), text);
    for (std::size_t fault = 0; fault < kNumAnswerFaults; ++fault) {
      EXPECT_EQ(parsed.faults[fault], 0) << name_of(static_cast<AnswerFault>(fault)) << " in a text of "
                                         << text.front();
    }
    guide.forget();
    EXPECT_FALSE(guide.allowed(guide.start()).ids.empty());
  }
}

TEST_P(EveryFormat, RightAnswersAreAllowedTokenByToken) {
  for (const auto& vocabulary : vocabularies()) {
    RandomExamples random(12);
    int num_entities = 0;
    for (int i = 0; i < 1500; ++i) {
      const Example example = random.next();
      if (!format_->can_carry(example) || writable(example.text, vocabulary->pieces) != example.text) continue;
      AnswerGuide guide(*format_, example.text, *vocabulary->tokenizer, vocabulary->pieces);
      GrammarPoints points = guide.start();
      const std::vector<TokenId> ids = vocabulary->tokenizer->encode(format_->render(example));
      for (std::size_t at = 0; at < ids.size(); ++at) {
        const AllowedTokens& allowed = guide.allowed(points);
        ASSERT_TRUE(std::ranges::binary_search(allowed.ids, ids[at])) << "example " << i << ", token " << at;
        points = guide.after(points, ids[at]);
      }
      ASSERT_TRUE(guide.allowed(points).may_stop) << "example " << i;
      num_entities += static_cast<int>(example.entities.size());
    }
    EXPECT_GT(num_entities, 100);
  }
}

/// Passes that a model needs which always writes the right answer, as it is encoded.
int passes_of_right_answer(const OutputFormat& format, const Example& example, const Vocabulary& vocabulary) {
  constexpr TokenId kStop = -1;
  AnswerGuide guide(format, example.text, *vocabulary.tokenizer, vocabulary.pieces);
  std::vector<TokenId> right = vocabulary.tokenizer->encode(format.render(example));
  right.push_back(kStop);
  std::vector<TokenId> written;
  GrammarPoints points = guide.start();
  int passes = 0;
  const auto write = [&] {
    written.push_back(right[written.size()]);
    if (written.back() != kStop) points = guide.after(points, written.back());
  };
  while (written.size() < right.size()) {
    const std::vector<TokenId> draft = guide.likely_tokens(points, written, 16, kStop);
    EXPECT_LE(draft.size(), 16U);
    for (const TokenId id : draft) {
      if (written.size() == right.size() || id != right[written.size()]) break;
      write();
    }
    if (written.size() < right.size()) write();
    ++passes;
  }
  return passes;
}

TEST_P(EveryFormat, DraftsFollowTheText) {
  const Example example{
      .id = "x",
      .text =
          "Dear Ann Smith, thank you for your letter of last week. We have written down your number, 555 1234, and "
          "will call as soon as somebody is back from Boston.",
      .entities = {{5, 14, "PERSON"}, {90, 98, "PHONE_NUMBER"}, {147, 153, "GPE"}},
      .group = {}};
  for (const auto& vocabulary : vocabularies()) {
    const auto tokens = static_cast<int>(vocabulary->tokenizer->encode(format_->render(example)).size()) + 1;
    EXPECT_LT(passes_of_right_answer(*format_, example, *vocabulary), tokens / 2) << tokens << " tokens";
  }
}

TEST(AnswerGuide, SaysWhatMayFollow) {
  const auto& vocabulary = *vocabularies().front();
  const auto format = make_output_format("xml", test_labels());
  AnswerGuide guide(*format, "Ann met", *vocabulary.tokenizer, vocabulary.pieces);
  const auto spelled = [&](const std::string& written) {
    std::vector<std::string> result;
    const AllowedTokens& allowed = guide.allowed(guide.after(guide.start(), written));
    for (const TokenId id : allowed.ids) result.emplace_back(vocabulary.tokenizer->bytes(id));
    if (allowed.may_stop) result.emplace_back("(end)");
    std::ranges::sort(result);
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
  };
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(spelled("<GPE>Ann</GPE> met"), Pieces{"(end)"});
  EXPECT_EQ(spelled("<GPE>Ann met"), (Pieces{"<", "</"}));
  EXPECT_EQ(spelled("<GPE>"), (Pieces{"A", "An"}));  // not closed again, and no other tag
  EXPECT_EQ(spelled("<GPE>Ann</GPE> mex"), Pieces{});
  EXPECT_EQ(spelled("<FOO"), Pieces{});
}

TEST(AnswerGuide, TextThatSpellsATagIsTheText) {
  const auto format = make_output_format("xml", test_labels());
  const std::string text = "a</GPE> b";
  const ParsedAnswer parsed = format->parse("<GPE>a</GPE> b</GPE>", text);
  EXPECT_EQ(parsed.raw(), (std::vector<Entity>{{0, 9, "GPE"}}));
  EXPECT_TRUE(parsed.well_formed());
}

}  // namespace
}  // namespace entune
