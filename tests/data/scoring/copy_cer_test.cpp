#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "data/formats/copy_distance.h"
#include "data/formats/output_format.h"
#include "data/formats/word_splitter.h"
#include "data/scoring/score_report.h"
#include "tests/data/formats/random_examples.h"

namespace entune {
namespace {

constexpr std::string_view kInput = "Zoë met Bo.";  // 11 code points, 12 bytes

CopyDistance copy_of(std::string_view format, std::string_view answer, std::string_view input = kInput) {
  return make_output_format(format, test_labels())->parse(answer, input).copy;
}

TEST(EditDistance, ByHand) {
  EXPECT_EQ(edit_distance(U"kitten", U"sitting"), 3);
  EXPECT_EQ(edit_distance(U"", U""), 0);
  EXPECT_EQ(edit_distance(U"abc", U""), 3);
  EXPECT_EQ(edit_distance(U"", U"abc"), 3);
  EXPECT_EQ(edit_distance(U"abc", U"abc"), 0);
  EXPECT_EQ(edit_distance(U"aa", U"a"), 1) << "the common ends may not overlap";
  EXPECT_EQ(edit_distance(U"abcd", U"acbd"), 2) << "a swap is two";
  EXPECT_EQ(edit_distance(U"Éva\U0001F600", U"Eva\U0001F601"), 2);
}

/// The table of the textbook, row by row.
std::int64_t plain_distance(const std::u32string& a, const std::u32string& b) {
  std::vector<std::int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::int64_t diagonal = std::exchange(row[0], static_cast<std::int64_t>(i) + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::int64_t best = std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] != b[j])});
      diagonal = std::exchange(row[j + 1], best);
    }
  }
  return row.back();
}

// Sizes on both sides of the 64 rows of a block, of several blocks too; texts that have nothing or nearly all in
// common.
TEST(EditDistance, IsThatOfThePlainTable) {
  std::mt19937_64 random(11);
  std::int64_t num_small = 0;
  for (int trial = 0; trial < 1500; ++trial) {
    const auto letters = [&](std::size_t most) {
      std::u32string text(random() % most, U'a');
      for (char32_t& c : text) c = U"abé\U0001F600"[random() % (2 + trial % 3)];
      return text;
    };
    const std::u32string a = letters(210);
    std::u32string b = a;
    if (trial % 2) {
      b = letters(210);
    } else {
      for (std::size_t i = 0; i < 1 + random() % 8; ++i) {
        const std::size_t at = random() % (b.size() + 1);
        if (random() % 2) b.erase(at, random() % 3);
        b.insert(std::min(at, b.size()), letters(3));
      }
    }
    const std::int64_t expected = plain_distance(a, b);
    num_small += expected < 10;
    ASSERT_EQ(edit_distance(a, b), expected) << "trial " << trial;
  }
  EXPECT_GT(num_small, 300);
}

TEST(EditDistance, IsExactForARunawayAnswerAndBoundedBeyond) {
  std::u32string input;
  for (int i = 0; i < 300; ++i) input += static_cast<char32_t>(U'A' + i % 50);
  std::u32string runaway = input;
  runaway[7] = U'é';
  for (int i = 0; i < 40; ++i) runaway += input;
  EXPECT_EQ(edit_distance(runaway, input), 40 * 300) << "what is written too much can hold the right letter";
  const std::u32string long_text(30000, U'a');
  EXPECT_EQ(edit_distance(U"x" + long_text, long_text), 1) << "the common end is not looked at";
  EXPECT_EQ(edit_distance(long_text, std::u32string(30000, U'b')), 30000);
  // More than is compared: 16,384 code points against as many are one edit apart, the remaining 13,618 count wholly.
  EXPECT_EQ(edit_distance(U"x" + long_text + U"y", long_text), 1 + 13618);
}

TEST(CopyCer, TagsAreStrippedAndCodePointsCounted) {
  EXPECT_EQ(copy_of("xml", "<PERSON>Zoë</PERSON> met <GPE>Bo</GPE>."), (CopyDistance{0, 11}));
  EXPECT_EQ(copy_of("xml", "<PERSON>Zoë</PERSON> has met Bo."), (CopyDistance{4, 11}));
  EXPECT_EQ(copy_of("xml", "<PERSON>Zo</PERSON> met Bo."), (CopyDistance{1, 11}));
  EXPECT_EQ(copy_of("xml", "<PERSON>Zoe</PERSON> met Bo."), (CopyDistance{1, 11}));
  EXPECT_EQ(copy_of("xml", "<PERSON>Zoe</PERSON> mt <GPE>Bob</GPE>."), (CopyDistance{3, 11}));
  EXPECT_EQ(copy_of("bracket", "[Zoe | PERSON] mt [Bob | GPE]."), (CopyDistance{3, 11}));
  EXPECT_EQ(copy_of("bracket", "[Zoë | PERSON] met [Bo | GPE]."), (CopyDistance{0, 11}));
  EXPECT_EQ(copy_of("xml", ""), (CopyDistance{11, 11}));
  EXPECT_EQ(copy_of("xml", "Zo\xff met Bo."), (CopyDistance{1, 11})) << "an invalid byte is one replacement character";
  // A tag of an unknown label is a tag, what only resembles one is text.
  EXPECT_EQ(copy_of("xml", "<FOO>Zoë</FOO> met Bo.</GPE>"), (CopyDistance{0, 11}));
  EXPECT_EQ(copy_of("xml", "<foo>Zoë met Bo."), (CopyDistance{5, 11}));
}

TEST(CopyCer, BioComparesTheColumnsOfWords) {
  // Zoë, met, Bo and the point: 9 code points and 3 line breaks.
  EXPECT_EQ(copy_of("bio", "Zoë B-PERSON\nmet O\nBo B-GPE\n. O"), (CopyDistance{0, 12}));
  EXPECT_EQ(copy_of("bio", "Zoe B-PERSON\nmet O\n. O"), (CopyDistance{4, 12})) << "a letter, and \"Bo\" with its break";
  EXPECT_EQ(copy_of("bio", "Zoë met O\nBo B-GPE\n. O"), (CopyDistance{1, 12})) << "two words are not one";
}

TEST(CopyCer, FormatsWithoutACopyHaveNone) {
  for (const char* format : {"json", "json_values"}) {
    EXPECT_EQ(copy_of(format, "[]"), CopyDistance{});
    EXPECT_EQ(copy_of(format, "Zoe met"), CopyDistance{});
  }
}

// The distance is 0 where, and only where, the format finds the copy exact.
TEST(CopyCer, AgreesWithTheFaultOfTheFormat) {
  for (const std::string& name : output_format_names()) {
    const auto format = make_output_format(name, test_labels());
    RandomExamples random(12);
    int num_equal = 0, num_different = 0;
    for (int i = 0; i < 3000; ++i) {
      const Example example = random.next();
      if (split_words(example.text).empty()) continue;
      std::string text = format->can_carry(example) ? format->render(example) : example.text;
      if (i % 4) text = random.mutate(std::move(text));
      const ParsedAnswer answer = format->parse(text, example.text);
      ASSERT_EQ(answer.copy.edits > 0, answer.fault(AnswerFault::copy_differs) > 0) << name << ", example " << i;
      ASSERT_EQ(answer.copy.length > 0, !name.starts_with("json"));
      ++(answer.copy.edits > 0 ? num_different : num_equal);
    }
    EXPECT_GT(num_equal, 300);
    EXPECT_EQ(num_different > 300, !name.starts_with("json"));
  }
}

// Pooled, not a mean of the texts' rates: 0 of 3 and 3 of 11.
TEST(CopyCer, IsPooledOverTexts) {
  const auto report = [](const char* name, const char* first, const char* second) {
    const auto format = make_output_format(name, test_labels());
    std::vector<DocumentScore> scores;
    for (const auto& [text, answer] : {std::pair{std::string("Ann"), first}, std::pair{std::string(kInput), second}}) {
      const Example gold{.id = text, .text = text, .entities = {}, .group = ""};
      scores.push_back(score_document(gold, format->parse(answer, text), false));
    }
    return score_report(scores, test_labels(), {.bootstrap_samples = 0});
  };
  const nlohmann::json health = report("xml", "<PERSON>Ann</PERSON>", "<PERSON>Zoe</PERSON> mt Bob.")["health"];
  EXPECT_DOUBLE_EQ(health["copy_cer"], 3.0 / 14);
  EXPECT_EQ(health["counts"]["copy_edits"], 3);
  EXPECT_EQ(health["counts"]["copy_length"], 14);
  EXPECT_TRUE(report("json", "[]", "[]")["health"]["copy_cer"].is_null());
}

}  // namespace
}  // namespace entune
