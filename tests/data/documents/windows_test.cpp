#include "data/documents/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <utf8.h>

#include <string>

#include "data/code_points.h"
#include "data/formats/word_splitter.h"
#include "data/random.h"
#include "tests/data/corpus/random_example.h"

namespace entune {
namespace {

using testing::ElementsAre;

std::int64_t code_points(std::string_view text) { return CodePointIndex(text).size(); }

/// Counts as a byte-level tokenizer of short pieces does: a token for every three bytes of a word, white space is free
/// where a word follows.
std::int64_t pieces(std::string_view text) {
  std::int64_t tokens = 0, run = 0;
  bool ends_in_space = false;
  for (const char c : text) {
    ends_in_space = c == ' ' || c == '\n';
    run = ends_in_space ? 0 : run + 1;
    if (run % 3 == 1) ++tokens;
  }
  return tokens + (ends_in_space ? 1 : 0);
}

std::vector<std::string> texts_of(std::string_view text, const WindowLimits& limits) {
  const CodePointIndex index(text);
  std::vector<std::string> texts;
  for (const Window& window : cut(text, limits)) texts.emplace_back(index.slice(window.start, window.end));
  return texts;
}

TEST(Windows, ATextThatFitsIsOneWindowAsItIs) {
  EXPECT_THAT(texts_of(" Ann \n", {6, 2, code_points}), ElementsAre(" Ann \n"));
  EXPECT_THAT(texts_of("", {6, 2, code_points}), ElementsAre(""));
  EXPECT_THAT(texts_of("Ann Bo", {4, 0, code_points, 6}), ElementsAre("Ann Bo"));
  EXPECT_THAT(texts_of("Ann Bob", {4, 0, code_points, 6}), ElementsAre("Ann", "Bob"));
}

TEST(Windows, EndAtSentencesAndBeginAtWords) {
  EXPECT_THAT(texts_of("I met Ann. She left early on.", {20, 5, code_points}),
              ElementsAre("I met Ann.", "met Ann. She left", "She left early on."));
  EXPECT_THAT(texts_of("one two three\nfour five six", {17, 0, code_points}),
              ElementsAre("one two three", "four five six"));
  EXPECT_THAT(texts_of("aa bb cc dd ee", {8, 3, code_points}), ElementsAre("aa bb cc", "bb cc dd", "cc dd ee"));
}

TEST(Windows, CutAWordOnlyWhereItIsTooLongAlone) {
  EXPECT_THAT(texts_of("a bcdefghi j", {7, 0, code_points}), ElementsAre("a", "bcdefgh", "i j"));
  EXPECT_THAT(texts_of("a bcdefgh j", {7, 0, code_points}), ElementsAre("a", "bcdefgh", "j"));
  EXPECT_THAT(texts_of("\u4e2d\u4e2d\u3002\u4e2d\u4e2d", {4, 1, code_points}),
              ElementsAre("\u4e2d\u4e2d\u3002", "\u3002\u4e2d\u4e2d"));
  EXPECT_THAT(
      texts_of("\U0001F600\U0001F600", {1, 0, [](std::string_view text) -> std::int64_t { return text.size(); }}),
      ElementsAre("\U0001F600", "\U0001F600"));
  EXPECT_THAT(texts_of(std::string(50, ' '), {7, 0, code_points}), ElementsAre());
}

/// What the header promises, for one text.
void check(const std::string& text, const WindowLimits& limits) {
  const std::vector<Window> windows = cut(text, limits);
  const CodePointIndex index(text);
  std::u32string points;
  utf8::utf8to32(text.begin(), text.end(), std::back_inserter(points));
  EXPECT_EQ(cut(text, limits), windows);
  if (limits.count_tokens(text) <= limits.max_tokens) {
    ASSERT_EQ(windows, (std::vector<Window>{{0, index.size()}}));
    return;
  }
  std::vector<bool> covered(points.size());
  std::vector<std::int64_t> word_of(points.size(), -1);
  const std::vector<Word> words = split_words(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::int64_t at = words[i].start; at < words[i].end; ++at)
      word_of[static_cast<std::size_t>(at)] = static_cast<std::int64_t>(i);
  }
  const auto word_too_long = [&](std::int64_t at) {
    const Word& word = words[static_cast<std::size_t>(word_of[static_cast<std::size_t>(at)])];
    return limits.count_tokens(index.slice(word.start, word.end)) > limits.max_tokens;
  };
  const auto inside_word = [&](std::int64_t at) {
    return at > 0 && at < index.size() && word_of[static_cast<std::size_t>(at)] >= 0 &&
           word_of[static_cast<std::size_t>(at)] == word_of[static_cast<std::size_t>(at - 1)];
  };
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const auto [start, end] = windows[i];
    ASSERT_LT(start, end);
    const bool is_single = end - start == 1;
    EXPECT_TRUE(is_single || limits.count_tokens(index.slice(start, end)) <= limits.max_tokens);
    EXPECT_FALSE(is_white_space(points[static_cast<std::size_t>(start)]));
    EXPECT_FALSE(is_white_space(points[static_cast<std::size_t>(end - 1)]));
    EXPECT_TRUE(!inside_word(end) || word_too_long(end)) << "window ends inside a word";
    EXPECT_TRUE(!inside_word(start) || word_too_long(start)) << "window begins inside a word";
    for (std::int64_t at = start; at < end; ++at) covered[static_cast<std::size_t>(at)] = true;
    if (i == 0) continue;
    EXPECT_GT(start, windows[i - 1].start);
    EXPECT_GT(end, windows[i - 1].end);
  }
  for (std::size_t i = 0; i < points.size(); ++i) ASSERT_TRUE(covered[i] || is_white_space(points[i])) << i;
}

TEST(Windows, KeepTheirPromisesOnAnyText) {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = random_text(random, 200);
    const WindowLimits limits{random.between(1, 40), random.below(30), random.chance(0.5) ? code_points : pieces};
    check(text, limits);
    if (HasFailure()) FAIL() << "round " << round << ", " << limits.max_tokens << " tokens, overlap " << limits.overlap;
  }
}

TEST(Windows, ShareTheOverlapThatWasAskedFor) {
  std::string text;
  Random random(2);
  for (int i = 0; i < 4000; ++i)
    text += std::string(static_cast<std::size_t>(random.between(1, 9)), 'x') + (random.chance(0.1) ? ". " : " ");
  const std::vector<Window> windows = cut(text, {200, 60, code_points});
  ASSERT_GT(windows.size(), 100u);
  for (std::size_t i = 1; i < windows.size(); ++i) {
    const std::int64_t shared = windows[i - 1].end - windows[i].start;
    EXPECT_GE(shared, 60);
    EXPECT_LE(shared, 70);  // a word more at most
  }
}

/// The tokenizer is asked for a small multiple of the text, whatever the text.
TEST(Windows, AreCutInLinearTime) {
  const auto cost = [](const std::string& text, std::int64_t overlap) {
    std::size_t asked = 0;
    cut(text, {64, overlap, [&](std::string_view piece) {
                 asked += piece.size();
                 return pieces(piece);
               }});
    return static_cast<double>(asked) / static_cast<double>(text.size());
  };
  std::string mixed;
  Random random(3);
  for (int i = 0; i < 20000; ++i) {
    mixed +=
        std::string(static_cast<std::size_t>(random.chance(0.01) ? random.below(2000) : random.between(1, 9)), 'x');
    mixed += std::string(static_cast<std::size_t>(random.chance(0.01) ? random.below(5000) : 1), ' ');
  }
  for (const std::int64_t overlap : {0, 50, 1000000}) {
    EXPECT_LT(cost(std::string(200000, 'x'), overlap), 20.0);
    EXPECT_LT(cost(mixed, overlap), 20.0);
  }
}

}  // namespace
}  // namespace entune
