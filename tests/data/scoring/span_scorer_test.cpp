#include "data/scoring/span_scorer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <set>

#include "data/scoring/canonical_spans.h"
#include "data/scoring/span_matching.h"

namespace entune {
namespace {

Example example(std::string text, std::vector<Entity> entities) {
  return {.id = "x", .text = std::move(text), .entities = std::move(entities), .group = ""};
}

/// Twenty letters: no white space, offsets are easy.
Example letters(std::vector<Entity> entities) { return example("abcdefghijklmnopqrst", std::move(entities)); }

SchemeCounts counts(std::int64_t correct, std::int64_t incorrect, std::int64_t partial, std::int64_t missed,
                    std::int64_t spurious) {
  return {correct, incorrect, partial, missed, spurious};
}

void expect_schemes(const SpanCounts& got, SchemeCounts strict, SchemeCounts exact, SchemeCounts partial,
                    SchemeCounts type) {
  EXPECT_EQ(got.scheme(Scheme::strict), strict);
  EXPECT_EQ(got.scheme(Scheme::exact), exact);
  EXPECT_EQ(got.scheme(Scheme::partial), partial);
  EXPECT_EQ(got.scheme(Scheme::type), type);
}

TEST(SpanScorer, TableOfSemEval) {
  const auto all = [](SchemeCounts c) { return std::array{c, c, c, c}; };
  const SchemeCounts correct = counts(1, 0, 0, 0, 0);
  const SchemeCounts incorrect = counts(0, 1, 0, 0, 0);
  const SchemeCounts partial = counts(0, 0, 1, 0, 0);
  const Example gold = letters({{2, 6, "A"}});
  EXPECT_EQ(score_spans(gold, {{2, 6, "A"}}).schemes, all(correct));
  EXPECT_EQ(score_spans(gold, {{2, 6, "B"}}).schemes, (std::array{incorrect, correct, correct, incorrect}));
  EXPECT_EQ(score_spans(gold, {{3, 6, "A"}}).schemes, (std::array{incorrect, incorrect, partial, correct}));
  EXPECT_EQ(score_spans(gold, {{3, 7, "B"}}).schemes, (std::array{incorrect, incorrect, partial, incorrect}));
  EXPECT_EQ(score_spans(gold, {}).schemes, all(counts(0, 0, 0, 1, 0)));
  EXPECT_EQ(score_spans(letters({}), {{2, 6, "A"}}).schemes, all(counts(0, 0, 0, 0, 1)));
  EXPECT_EQ(score_spans(letters({}), {}).schemes, all(counts(0, 0, 0, 0, 0)));
}

TEST(SpanScorer, EachErrorKindOnce) {
  const Example gold = letters({{0, 2, "A"}, {3, 6, "A"}, {7, 9, "A"}, {10, 12, "A"}, {13, 15, "A"}});
  const SpanCounts got = score_spans(gold, {{0, 2, "A"}, {3, 5, "A"}, {7, 9, "B"}, {10, 11, "B"}, {17, 19, "A"}});
  EXPECT_EQ(got.errors, (ErrorCounts{.boundary = 1,
                                     .type = 1,
                                     .boundary_and_type = 1,
                                     .missed = 1,
                                     .spurious = 1,
                                     .offset_wrong_value_right = 0}));
}

// Identical predictions in another order: an evaluator that takes the first overlap scores 0 of 2.
TEST(SpanScorer, NestedGoldInAnotherOrderIsCorrect) {
  const SpanCounts got = score_spans(letters({{0, 10, "A"}, {0, 3, "B"}}), {{0, 3, "B"}, {0, 10, "A"}});
  for (const SchemeCounts& scheme : got.schemes) EXPECT_EQ(scheme, counts(2, 0, 0, 0, 0));
}

// Touching spans share nothing: inclusive ends would pair A with B's prediction.
TEST(SpanScorer, TouchingSpansDoNotOverlap) {
  const SpanCounts got = score_spans(letters({{0, 4, "A"}, {4, 7, "B"}}), {{4, 7, "B"}});
  for (const SchemeCounts& scheme : got.schemes) EXPECT_EQ(scheme, counts(1, 0, 0, 1, 0));
  EXPECT_EQ(score_spans(letters({{0, 4, "A"}}), {{4, 7, "A"}}).scheme(Scheme::partial), counts(0, 0, 0, 1, 1));
}

// An exact match is credited although a worse overlap is named first.
TEST(SpanScorer, ExactMatchWinsOverAnEarlierOverlap) {
  const SpanCounts got = score_spans(letters({{0, 10, "A"}}), {{0, 3, "A"}, {0, 10, "A"}});
  for (const SchemeCounts& scheme : got.schemes) EXPECT_EQ(scheme, counts(1, 0, 0, 0, 1));
}

TEST(SpanScorer, OnePredictionOverTwoGoldIsOnePairAndOneMiss) {
  expect_schemes(score_spans(letters({{0, 4, "A"}, {5, 7, "A"}}), {{0, 7, "A"}}), counts(0, 1, 0, 1, 0),
                 counts(0, 1, 0, 1, 0), counts(0, 0, 1, 1, 0), counts(1, 0, 0, 1, 0));
}

TEST(SpanScorer, TwoPredictionsInOneGoldAreOnePairAndOneSpurious) {
  expect_schemes(score_spans(letters({{0, 8, "A"}}), {{0, 3, "A"}, {4, 8, "A"}}), counts(0, 1, 0, 0, 1),
                 counts(0, 1, 0, 0, 1), counts(0, 0, 1, 0, 1), counts(1, 0, 0, 0, 1));
}

TEST(SpanMatching, PrefersSpanThenLabelThenOverlapThenPlace) {
  const std::vector<Entity> gold = {{0, 10, "A"}};
  EXPECT_THAT(match_spans(gold, {{0, 9, "A"}, {0, 10, "B"}}), testing::ElementsAre(SpanPair{0, 1}));
  EXPECT_THAT(match_spans(gold, {{0, 9, "B"}, {4, 6, "A"}}), testing::ElementsAre(SpanPair{0, 1}));
  EXPECT_THAT(match_spans(gold, {{0, 2, "A"}, {3, 10, "A"}}), testing::ElementsAre(SpanPair{0, 1}));
  EXPECT_THAT(match_spans(gold, {{0, 3, "A"}, {7, 10, "A"}}), testing::ElementsAre(SpanPair{0, 0}));
}

TEST(SpanScorer, WhiteSpaceAtTheEdgesIsTrimmedOnBothSides) {
  // A no-break space before the name, an ideographic one after it; gold takes in the first, the prediction the second.
  const Example gold = example("a\u00A0Éva\u3000b", {{1, 5, "A"}});
  EXPECT_EQ(score_spans(gold, {{2, 6, "A"}}).scheme(Scheme::strict), counts(1, 0, 0, 0, 0));
  EXPECT_EQ(score_spans(gold, {{2, 5, "A"}, {1, 6, "A"}}).duplicates, 1);
  EXPECT_EQ(score_spans(gold, {{1, 2, "A"}}).scheme(Scheme::strict), counts(0, 0, 0, 1, 0)) << "empty is no span";
  EXPECT_EQ(score_spans(gold, {{0, 5, "A"}}).scheme(Scheme::strict), counts(0, 1, 0, 0, 0)) << "letters stay";
}

TEST(SpanScorer, TrimPunctLooksPastPunctuationOnBothSides) {
  // 0 ", 1-3 Éva, 4 space, 5 ., 6 ", 8-10 met, 12-15 José, 16 comma, 18 «, 19 !, 20 », 21 .
  const std::string text = "\"Éva .\" met José, «!».";
  const auto trim_punct = [&](std::vector<Entity> gold, const std::vector<Entity>& predicted) {
    return score_spans(example(text, std::move(gold)), predicted).trim_punct;
  };
  const SpanCounts got = score_spans(example(text, {{1, 4, "A"}, {12, 17, "A"}}), {{0, 7, "A"}, {12, 16, "A"}});
  EXPECT_EQ(got.scheme(Scheme::strict), counts(0, 2, 0, 0, 0));
  EXPECT_EQ(got.trim_punct, (LabelCounts{2, 2, 2})) << "marks and spaces in turn; gold's comma as well";
  EXPECT_EQ(trim_punct({{1, 4, "A"}}, {{0, 7, "B"}}), (LabelCounts{1, 1, 0}));
  EXPECT_EQ(trim_punct({{1, 4, "A"}}, {{0, 8, "A"}, {0, 9, "A"}}), (LabelCounts{1, 2, 1})) << "a letter stays";
  EXPECT_EQ(trim_punct({{18, 22, "A"}}, {{18, 21, "A"}, {19, 20, "A"}}), (LabelCounts{1, 1, 1})) << "« is not listed";
  EXPECT_EQ(trim_punct({{12, 17, "A"}}, {{12, 22, "A"}}), (LabelCounts{1, 1, 0})) << "marks inside stay";
}

TEST(SpanScorer, TrimPunctTakesEveryListedMarkAndDropsSpansOfNothingElse) {
  const Example gold = example(".,;:!?()[]{}\"'a'\"}{][)(?!:;,.", {{14, 15, "A"}});
  EXPECT_EQ(score_spans(gold, {{0, 29, "A"}}).trim_punct, (LabelCounts{1, 1, 1}));
  const SpanCounts got = score_spans(example(gold.text, {{0, 14, "A"}, {14, 15, "A"}, {13, 16, "A"}}), {{15, 29, "A"}});
  EXPECT_EQ(got.labels.at("A"), (LabelCounts{3, 1, 0}));
  EXPECT_EQ(got.trim_punct, (LabelCounts{1, 0, 0})) << "two become one, two vanish";
  const Example dashes = example("-a-_@#%&/\\*+=<>|~^$`", {{1, 2, "A"}});
  EXPECT_EQ(score_spans(dashes, {{0, 2, "A"}, {1, 3, "A"}}).trim_punct, (LabelCounts{1, 2, 0})) << "other marks stay";
  const Example letter = example("\u012Eva", {{1, 3, "A"}});  // a capital whose last byte is that of the full stop
  EXPECT_EQ(score_spans(letter, {{0, 3, "A"}}).trim_punct, (LabelCounts{1, 1, 0}));
}

TEST(SpanScorer, RepeatedPredictionsCountOnce) {
  const SpanCounts got = score_spans(letters({{0, 4, "A"}}), {{0, 4, "A"}, {0, 4, "A"}, {0, 4, "A"}});
  EXPECT_EQ(got.scheme(Scheme::strict), counts(1, 0, 0, 0, 0));
  EXPECT_EQ(got.duplicates, 2);
  EXPECT_EQ(got.labels.at("A"), (LabelCounts{1, 1, 1}));
}

TEST(SpanScorer, ImpossibleAndFarSpansAreHarmless) {
  const std::int64_t far = std::int64_t{1} << 60;
  const Example gold = letters({{0, 4, "A"}});
  const SpanCounts got = score_spans(gold, {{-3, 4, "A"}, {9, 9, "A"}, {8, 2, "A"}, {18, far, "A"}});
  EXPECT_EQ(got.scheme(Scheme::strict), counts(0, 0, 0, 1, 1));
  EXPECT_EQ(got.leak.predicted_characters, 2);
  EXPECT_EQ(score_spans(gold, {{far, far + 5, "A"}}).scheme(Scheme::strict), counts(0, 0, 0, 1, 1));
}

TEST(SpanScorer, LabelsAreCountedStrictlyAndUnplacedPredictionsAreSpurious) {
  const Example gold = letters({{0, 4, "A"}, {5, 7, "A"}, {8, 9, "B"}});
  const SpanCounts got = score_spans(gold, {{0, 4, "A"}, {5, 7, "B"}}, {"C"});
  EXPECT_EQ(got.labels.at("A"), (LabelCounts{2, 1, 1}));
  EXPECT_EQ(got.labels.at("B"), (LabelCounts{1, 1, 0}));
  EXPECT_EQ(got.labels.at("C"), (LabelCounts{0, 1, 0}));
  EXPECT_EQ(got.scheme(Scheme::strict), counts(1, 1, 0, 1, 1));
  EXPECT_EQ(got.trim_punct, (LabelCounts{3, 3, 1}));
}

TEST(SpanScorer, LeakIgnoresLabelsAndWhiteSpace) {
  // Gold "Ann Lee" (6 letters) and "Ann" (3); the prediction covers "Ann L" under another label, and the "x" outside.
  const Example gold = example("Ann Lee x Ann", {{0, 7, "A"}, {10, 13, "A"}});
  EXPECT_EQ(score_spans(gold, {{0, 5, "B"}, {8, 9, "B"}}).leak, (LeakCounts{.gold_characters = 9,
                                                                            .predicted_characters = 5,
                                                                            .covered_characters = 4,
                                                                            .gold_documents = 1,
                                                                            .leaking_documents = 1,
                                                                            .gold_surfaces = 2,
                                                                            .leaking_surfaces = 2}));
}

// Against a count by hand, one character and one label at a time, with spans that overlap, nest and repeat.
TEST(SpanScorer, LeakOfEachLabelOverRandomSpans) {
  std::mt19937 random(17);
  const auto below = [&](std::size_t n) { return static_cast<std::int64_t>(random() % n); };
  const std::vector<std::string> labels = {"A", "B", "C"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 24; ++i) text += std::vector<std::string>{"a", " ", "é", "　", "😀", "."}[below(6)];
    const auto spans = [&](std::size_t most) {
      std::vector<Entity> list;
      for (std::int64_t n = below(most + 1); n > 0; --n) {
        const std::int64_t start = below(24);
        list.push_back({start, start + 1 + below(static_cast<std::size_t>(24 - start)), labels[below(3)]});
      }
      return list;
    };
    const std::vector<Entity> gold = spans(6), predicted = spans(4);
    std::map<std::string, LabelLeakCounts> expected;
    const std::u32string characters = code_points_of(text);
    for (std::int64_t i = 0; i < 24; ++i) {
      if (characters[i] == U' ' || characters[i] == U'\u3000') continue;
      const auto holds = [&](const Entity& span) { return span.start <= i && i < span.end; };
      const bool is_masked = std::any_of(predicted.begin(), predicted.end(), holds);
      for (const std::string& label : labels) {
        if (std::none_of(gold.begin(), gold.end(), [&](const Entity& e) { return e.label == label && holds(e); }))
          continue;
        ++expected[label].gold_characters;
        expected[label].covered_characters += is_masked;
      }
    }
    EXPECT_EQ(score_spans(example(text, gold), predicted).label_leaks, expected) << "round " << round;
  }
}

TEST(SpanScorer, SurfaceLeaksIfOneMentionOfItIsOpen) {
  const Example gold = example("Ann Bob Ann", {{0, 3, "A"}, {4, 7, "A"}, {8, 11, "A"}});
  const LeakCounts half = score_spans(gold, {{0, 3, "A"}, {4, 7, "A"}}).leak;
  EXPECT_EQ(half.gold_surfaces, 2);
  EXPECT_EQ(half.leaking_surfaces, 1);
  const LeakCounts none = score_spans(gold, {{0, 11, "A"}}).leak;
  EXPECT_EQ(none.leaking_surfaces, 0);
  EXPECT_EQ(none.leaking_documents, 0);
}

TEST(SpanScorer, QualityOfCounts) {
  const Quality partial = quality(counts(2, 1, 1, 1, 2));  // credit 2.5, actual 6, possible 5
  EXPECT_DOUBLE_EQ(*partial.precision, 2.5 / 6);
  EXPECT_DOUBLE_EQ(*partial.recall, 2.5 / 5);
  EXPECT_DOUBLE_EQ(*partial.f1, 5.0 / 11);
  const Quality silent = quality(counts(0, 0, 0, 3, 0));
  EXPECT_FALSE(silent.precision.has_value());
  EXPECT_EQ(silent.recall, 0.0);
  EXPECT_EQ(silent.f1, 0.0);
  const Quality empty = quality(SchemeCounts{});
  EXPECT_FALSE(empty.precision || empty.recall || empty.f1);
}

/// Random entities in 20 letters with two labels, so that overlaps, nesting and repetitions are common.
std::vector<Entity> random_entities(std::mt19937_64& random) {
  std::vector<Entity> entities(random() % 6);
  for (Entity& entity : entities) {
    entity.start = static_cast<std::int64_t>(random() % 19);
    entity.end = std::min<std::int64_t>(20, entity.start + 1 + static_cast<std::int64_t>(random() % 6));
    entity.label = random() % 2 ? "A" : "B";
  }
  return entities;
}

TEST(SpanScorer, StrictIsTheIntersectionOfSetsAndOrderHasNoEffect) {
  std::mt19937_64 random(7);
  std::int64_t total_correct = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<Entity> gold = random_entities(random);
    std::vector<Entity> predicted = random_entities(random);
    if (random() % 2) predicted.insert(predicted.end(), gold.begin(), gold.begin() + std::ssize(gold) / 2);
    const SpanCounts got = score_spans(letters(gold), predicted);

    const std::set<Entity> truth(gold.begin(), gold.end());
    const std::set<Entity> answer(predicted.begin(), predicted.end());
    const auto correct = std::count_if(truth.begin(), truth.end(), [&](const Entity& e) { return answer.contains(e); });
    total_correct += correct;
    ASSERT_EQ(got.scheme(Scheme::strict).correct, correct);
    for (const SchemeCounts& scheme : got.schemes) {
      ASSERT_EQ(scheme.possible(), std::ssize(truth));
      ASSERT_EQ(scheme.actual(), std::ssize(answer));
    }
    ASSERT_GE(got.scheme(Scheme::exact).correct, correct);
    ASSERT_GE(got.scheme(Scheme::type).correct, correct);
    ASSERT_EQ(got.trim_punct, (LabelCounts{std::ssize(truth), std::ssize(answer), correct})) << "there is none";
    const ErrorCounts& errors = got.errors;
    ASSERT_EQ(errors.boundary + errors.type + errors.boundary_and_type + errors.missed, std::ssize(truth) - correct);

    std::shuffle(gold.begin(), gold.end(), random);
    std::shuffle(predicted.begin(), predicted.end(), random);
    ASSERT_EQ(score_spans(letters(gold), predicted), got);
  }
  EXPECT_GT(total_correct, 1000) << "the trials must hold matches";
}

TEST(CanonicalSpans, CodePointsAndWhiteSpace) {
  EXPECT_EQ(code_points_of("a\xFFz"), U"a\uFFFDz");
  EXPECT_EQ(code_points_of("\U0001F600é"), U"\U0001F600é");
  EXPECT_EQ(trimmed(U"\u2003 x y\n"), U"x y");
  EXPECT_EQ(trimmed(U" \t"), U"");
}

}  // namespace
}  // namespace entune
