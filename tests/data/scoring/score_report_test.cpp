#include "data/scoring/score_report.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "data/scoring/bootstrap.h"
#include "data/scoring/randomization.h"

namespace entune {
namespace {

using nlohmann::json;
using ::testing::DoubleEq;
using ::testing::ElementsAre;

F1Counts of(std::int64_t correct, std::int64_t gold, std::int64_t predicted) { return {2 * correct, gold, predicted}; }

std::vector<F1Counts> repeated(F1Counts counts, std::size_t times) { return std::vector<F1Counts>(times, counts); }

std::vector<std::vector<F1Counts>> as_rows(const std::vector<F1Counts>& groups) {
  std::vector<std::vector<F1Counts>> rows;
  for (const F1Counts& counts : groups) rows.push_back({counts});
  return rows;
}

TEST(Bootstrap, QuantilesInterpolate) {
  EXPECT_DOUBLE_EQ(quantile({3.0, 1.0, 2.0}, 0.5), 2.0);
  EXPECT_DOUBLE_EQ(quantile({1.0, 2.0, 3.0}, 0.25), 1.5);
  EXPECT_DOUBLE_EQ(quantile({1.0, 5.0}, 1.0), 5.0);
  EXPECT_DOUBLE_EQ(quantile({4.0}, 0.3), 4.0);
}

TEST(Bootstrap, EqualGroupsGiveAPoint) {
  const auto interval = f1_intervals(as_rows(repeated(of(1, 2, 2), 50)), {.samples = 200});
  ASSERT_TRUE(interval[0].has_value());
  EXPECT_DOUBLE_EQ(interval[0]->low, 0.5);
  EXPECT_DOUBLE_EQ(interval[0]->high, 0.5);
}

// One gold and one prediction a group, found in half of them: F1 is the share found, its standard error
// sqrt(p (1 - p) / n) = 0.025 for p = 1/2, n = 400.
TEST(Bootstrap, WidthIsThatOfABinomial) {
  std::vector<F1Counts> groups = repeated(of(1, 1, 1), 200);
  for (const F1Counts& miss : repeated(of(0, 1, 1), 200)) groups.push_back(miss);
  const auto interval = f1_intervals(as_rows(groups), {.samples = 4000, .confidence = 0.95, .seed = 3})[0];
  ASSERT_TRUE(interval.has_value());
  EXPECT_NEAR(interval->low, 0.5 - 1.96 * 0.025, 0.006);
  EXPECT_NEAR(interval->high, 0.5 + 1.96 * 0.025, 0.006);
}

TEST(Bootstrap, IsDeterministicBySeed) {
  std::vector<F1Counts> groups;
  for (std::int64_t i = 0; i < 30; ++i) groups.push_back(of(i % 4, 4, 3 + i % 2));
  const auto first = f1_intervals(as_rows(groups), {.samples = 300, .seed = 5})[0];
  const auto again = f1_intervals(as_rows(groups), {.samples = 300, .seed = 5})[0];
  const auto other = f1_intervals(as_rows(groups), {.samples = 300, .seed = 6})[0];
  EXPECT_EQ(first->low, again->low);
  EXPECT_EQ(first->high, again->high);
  EXPECT_TRUE(first->low != other->low || first->high != other->high);
}

TEST(Bootstrap, IsAbsentWhereNothingIsDefined) {
  EXPECT_FALSE(f1_intervals(as_rows(repeated(of(1, 1, 1), 1)), {})[0].has_value()) << "one group says nothing";
  EXPECT_FALSE(f1_intervals(as_rows(repeated(of(0, 0, 0), 9)), {})[0].has_value());
  EXPECT_FALSE(f1_intervals(as_rows(repeated(of(1, 1, 1), 9)), {.samples = 0})[0].has_value());
  EXPECT_TRUE(f1_intervals({}, {}).empty());
}

// Of two groups a resample holds one twice (a chance of 1/4 each) or both (1/2): the interval's ends are the groups'.
TEST(Bootstrap, MeansAreTakenInEachResample) {
  const std::vector<std::vector<F1Counts>> groups = {{of(1, 1, 1), of(1, 3, 1), of(1, 2, 2)},
                                                     {of(0, 3, 1), of(3, 3, 3), of(0, 0, 2)}};
  const auto intervals = f1_intervals(groups, {.samples = 500}, {{0, 1}, {0, 2}, {}});
  ASSERT_EQ(intervals.size(), 6U);
  EXPECT_EQ(intervals[0]->low, 0.0);
  EXPECT_EQ(intervals[0]->high, 1.0);
  // (1 + 1/2) / 2 and (0 + 1) / 2; with both groups (1/3 + 4/5) / 2, which lies between.
  EXPECT_DOUBLE_EQ(intervals[3]->low, 0.5);
  EXPECT_DOUBLE_EQ(intervals[3]->high, 0.75);
  // (1 + 1/2) / 2, and the first alone: the last has nothing gold in the second group.
  EXPECT_DOUBLE_EQ(intervals[4]->low, 0.0);
  EXPECT_DOUBLE_EQ(intervals[4]->high, 0.75);
  EXPECT_FALSE(intervals[5].has_value());
}

// a finds one more than b in every group: the difference does not vary although both F1 do.
TEST(Bootstrap, DifferenceUsesTheSameResamples) {
  std::vector<F1Counts> a, b;
  for (std::int64_t i = 0; i < 40; ++i) {
    a.push_back(of(1 + i % 9, 10, 10));
    b.push_back(of(i % 9, 10, 10));
  }
  const auto interval = f1_difference_interval(a, b, {.samples = 500});
  ASSERT_TRUE(interval.has_value());
  EXPECT_NEAR(interval->low, 0.1, 1e-12);
  EXPECT_NEAR(interval->high, 0.1, 1e-12);
}

TEST(Randomization, IdenticalSystemsGiveOne) {
  const std::vector<F1Counts> a = {of(1, 2, 2), of(0, 1, 3), of(2, 2, 2)};
  EXPECT_EQ(randomization_p_value(a, a, {.rounds = 500}), 1.0);
}

TEST(Randomization, ClearDifferenceIsSmallAndSymmetric) {
  const auto good = repeated(of(3, 3, 3), 30), bad = repeated(of(1, 3, 3), 30);
  EXPECT_DOUBLE_EQ(randomization_p_value(good, bad, {.rounds = 1000}), 1.0 / 1001);
  EXPECT_DOUBLE_EQ(randomization_p_value(bad, good, {.rounds = 1000}), 1.0 / 1001);
}

// n groups, a better by the same in each: of the 2^n ways to swap, none and all give the observed difference.
TEST(Randomization, SmallCasesMatchTheExactTest) {
  for (const std::size_t n : {2, 4}) {
    const auto good = repeated(of(3, 3, 3), n), bad = repeated(of(1, 3, 3), n);
    EXPECT_NEAR(randomization_p_value(good, bad, {.rounds = 20000}), 2.0 / std::pow(2.0, n), 0.02) << n;
  }
}

// More than 64 groups, each of which needs a coin of its own: the sum of signed differences is nearly normal.
TEST(Randomization, ManyGroupsMatchTheNormalApproximation) {
  std::mt19937_64 random(2);
  std::vector<F1Counts> a, b;
  double difference = 0.0, variance = 0.0;
  for (int i = 0; i < 300; ++i) {
    a.push_back(of(static_cast<std::int64_t>(random() % 4), 4, 4));
    b.push_back(of(static_cast<std::int64_t>(random() % 4), 4, 4));
    const double d = static_cast<double>(a.back().credit_halves - b.back().credit_halves) / 2.0;
    difference += d;
    variance += d * d;
  }
  const double expected = std::erfc(std::abs(difference) / std::sqrt(2.0 * variance));
  EXPECT_NEAR(randomization_p_value(a, b, {.rounds = 5000}), expected, 0.05);
}

TEST(Randomization, HolmByHand) {
  // Sorted .01 .02 .03 .04, times 4 3 2 1: .04, .06, .06, and .04 raised to .06.
  EXPECT_THAT(holm_adjusted({0.03, 0.01, 0.04, 0.02}),
              ElementsAre(DoubleEq(0.06), DoubleEq(0.04), DoubleEq(0.06), DoubleEq(0.06)));
  EXPECT_THAT(holm_adjusted({0.5, 0.9}), ElementsAre(1.0, 1.0));
  EXPECT_THAT(holm_adjusted({0.2}), ElementsAre(0.2));
  EXPECT_TRUE(holm_adjusted({}).empty());
}

const LabelList kLabels = {{"A", "first"}, {"B", "second"}, {"UNSEEN", "in no text"}};

/// Texts of 20 letters with gold A[0,4) and B[5,8), two to a group. A is always found; every second answer names B one
/// too far.
std::vector<DocumentScore> documents(int count) {
  std::vector<DocumentScore> result;
  for (int i = 0; i < count; ++i) {
    const Example gold{.id = "d" + std::to_string(i),
                       .text = "abcdefghijklmnopqrst",
                       .entities = {{0, 4, "A"}, {5, 8, "B"}},
                       .group = "t" + std::to_string(i / 2)};
    ParsedAnswer answer;
    answer.mentions.push_back({"abcd", "A", Entity{0, 4, "A"}, Entity{0, 4, "A"}});
    if (i % 2) answer.mentions.push_back({"fgh", "B", Entity{6, 9, "B"}, Entity{5, 8, "B"}});
    if (i % 4 == 3) answer.faults[static_cast<std::size_t>(AnswerFault::offset_wrong)] = 2;
    answer.copy = {.edits = i % 4, .length = 20};
    result.push_back(score_document(gold, answer, i == 0));
  }
  return result;
}

TEST(ScoreReport, NumbersByHand) {
  const json report = score_report(documents(8), kLabels, {.bootstrap_samples = 100});
  EXPECT_EQ(report["documents"], 8);
  EXPECT_EQ(report["groups"], 4);
  // 16 gold, 12 predicted; raw: 8 right, 4 pairs off by one, 4 missed.
  const json& strict = report["raw"]["strict"];
  EXPECT_EQ(strict["tp"], 8);
  EXPECT_EQ(strict["fp"], 4);
  EXPECT_EQ(strict["fn"], 8);
  EXPECT_EQ(strict["incorrect"], 4);
  EXPECT_EQ(strict["missed"], 4);
  EXPECT_DOUBLE_EQ(strict["precision"], 8.0 / 12);
  EXPECT_DOUBLE_EQ(strict["recall"], 0.5);
  EXPECT_DOUBLE_EQ(strict["f1"], 16.0 / 28);
  EXPECT_DOUBLE_EQ(strict["f2"], 5.0 * 8 / (4 * 16 + 12));
  EXPECT_DOUBLE_EQ(report["raw"]["partial"]["f1"], 20.0 / 28);
  EXPECT_DOUBLE_EQ(report["raw"]["type"]["f1"], 24.0 / 28);
  EXPECT_DOUBLE_EQ(report["repaired"]["strict"]["f1"], 24.0 / 28);
  EXPECT_DOUBLE_EQ(report["value"]["f1"], 24.0 / 28);
  EXPECT_EQ(report["errors"]["boundary"], 4);
  EXPECT_EQ(report["errors"]["missed"], 4);
  EXPECT_EQ(report["errors"]["offset_wrong_value_right"], 4);
  EXPECT_EQ(report["errors_repaired"]["offset_wrong_value_right"], 0);
  EXPECT_DOUBLE_EQ(strict_f1(documents(8)), 16.0 / 28);
}

// Gold takes in a comma. The raw reading does not (but for one text in four, which it misses), the repaired one does.
TEST(ScoreReport, TrimPunctHasKeysOfItsOwn) {
  std::vector<DocumentScore> scores;
  for (int i = 0; i < 8; ++i) {
    const Example gold{.id = std::to_string(i), .text = "Ann, Bob", .entities = {{0, 4, "A"}}, .group = ""};
    ParsedAnswer answer;
    if (i % 4) answer.mentions.push_back({"Ann", "A", Entity{0, 3, "A"}, Entity{0, 4, "A"}});
    scores.push_back(score_document(gold, answer, false));
  }
  const json report = score_report(scores, kLabels, {.bootstrap_samples = 200});
  EXPECT_DOUBLE_EQ(report["raw"]["strict"]["f1"], 0.0);
  json expected = report["repaired"]["strict"];
  for (const char* key : {"correct", "incorrect", "partial", "missed", "spurious", "f2"}) expected.erase(key);
  EXPECT_EQ(expected["tp"], 6);
  EXPECT_EQ(expected["fn"], 2);
  EXPECT_LT(expected["f1_low"], expected["f1_high"]);
  EXPECT_EQ(report["raw"]["trim_punct"], expected);
  EXPECT_EQ(report["repaired"]["trim_punct"], expected);
  EXPECT_EQ(report["per_label_repaired"]["A"]["f1_low"], expected["f1_low"]) << "each F1 has its own interval";
}

TEST(ScoreReport, LabelsAndMacroLeaveOutWhatIsUndefined) {
  const json report = score_report(documents(8), kLabels, {.bootstrap_samples = 100});
  EXPECT_DOUBLE_EQ(report["per_label"]["A"]["f1"], 1.0);
  EXPECT_EQ(report["per_label"]["A"]["support"], 8);
  EXPECT_DOUBLE_EQ(report["per_label"]["B"]["f1"], 0.0);
  EXPECT_EQ(report["per_label"]["B"]["fp"], 4);
  EXPECT_EQ(report["per_label"]["B"]["fn"], 8);
  EXPECT_DOUBLE_EQ(report["per_label_repaired"]["B"]["recall"], 0.5);
  EXPECT_EQ(report["per_label"]["UNSEEN"]["support"], 0);
  EXPECT_TRUE(report["per_label"]["UNSEEN"]["f1"].is_null());
  EXPECT_TRUE(report["per_label"]["UNSEEN"]["f1_low"].is_null());
  EXPECT_DOUBLE_EQ(report["raw"]["macro"]["f1"], 0.5);
  EXPECT_EQ(report["raw"]["macro"]["labels"], 2);
  EXPECT_EQ(report["raw"]["macro_10"]["labels"], 0);
  EXPECT_TRUE(report["raw"]["macro_10"]["f1"].is_null());
}

/// Two groups, given by their counts. A resample holds one of them twice (a chance of 1/4 each) or both (1/2), so that
/// wide intervals end at the groups' own scores, and narrow ones are the score of both.
std::vector<DocumentScore> two_groups() {
  DocumentScore first, second;
  first.id = first.group = "first";
  second.id = second.group = "second";
  // Support, predicted, correct. F1 of A: 8/12, 1, both 12/16. Of B: 0, 0 where nothing is gold, both 0.
  first.raw.labels = {{"A", {8, 4, 4}}, {"B", {6, 0, 0}}};
  second.raw.labels = {{"A", {2, 2, 2}}, {"B", {0, 1, 0}}};
  // Repaired, of A: 1, 1/2, both 22/24. Of B: 1/2, nothing at all.
  first.repaired.labels = {{"A", {10, 10, 10}}, {"B", {10, 10, 5}}};
  second.repaired.labels = {{"A", {2, 2, 1}}};
  const auto leak = [](std::int64_t leaked, std::int64_t characters, std::int64_t leaking_documents,
                       std::int64_t documents, std::int64_t leaking_surfaces, std::int64_t surfaces) {
    return LeakCounts{.gold_characters = characters,
                      .predicted_characters = characters,
                      .covered_characters = characters - leaked,
                      .gold_documents = documents,
                      .leaking_documents = leaking_documents,
                      .gold_surfaces = surfaces,
                      .leaking_surfaces = leaking_surfaces};
  };
  first.raw.leak = leak(1, 12, 1, 2, 1, 3);
  second.raw.leak = leak(2, 4, 1, 1, 2, 2);
  first.repaired.leak = leak(0, 12, 0, 2, 0, 3);
  second.repaired.leak = leak(1, 4, 1, 1, 1, 2);
  return {first, second};
}

void expect_interval(const json& scores, const std::string& name, double low, double high) {
  EXPECT_DOUBLE_EQ(scores[name + "_low"], low) << name;
  EXPECT_DOUBLE_EQ(scores[name + "_high"], high) << name;
}

TEST(ScoreReport, IntervalsOfMacroByHand) {
  const json wide = score_report(two_groups(), kLabels, {.bootstrap_samples = 500});
  EXPECT_DOUBLE_EQ(wide["raw"]["macro"]["f1"], 0.375);
  expect_interval(wide["raw"]["macro"], "f1", 1.0 / 3, 1.0);  // B has no support in the second group
  // A alone has support 10. That B has 12 where the first group is drawn twice, and A 4 in the other, changes nothing.
  EXPECT_DOUBLE_EQ(wide["raw"]["macro_10"]["f1"], 0.75);
  expect_interval(wide["raw"]["macro_10"], "f1", 2.0 / 3, 1.0);
  expect_interval(wide["repaired"]["macro"], "f1", 0.5, 0.75);
  expect_interval(wide["repaired"]["macro_10"], "f1", 0.5, 0.75);
  const json narrow = score_report(two_groups(), kLabels, {.bootstrap_samples = 500, .confidence = 0.2});
  expect_interval(narrow["raw"]["macro"], "f1", 0.375, 0.375);
  expect_interval(narrow["raw"]["macro_10"], "f1", 0.75, 0.75);
}

TEST(ScoreReport, IntervalsOfLeaksByHand) {
  const json wide = score_report(two_groups(), kLabels, {.bootstrap_samples = 500});
  expect_interval(wide["leak"], "character_leak_rate", 1.0 / 12, 0.5);
  expect_interval(wide["leak"], "document_leak_rate", 0.5, 1.0);
  expect_interval(wide["leak"], "surface_leak_rate", 1.0 / 3, 1.0);
  expect_interval(wide["leak_repaired"], "character_leak_rate", 0.0, 0.25);
  expect_interval(wide["leak_repaired"], "document_leak_rate", 0.0, 1.0);
  expect_interval(wide["leak_repaired"], "surface_leak_rate", 0.0, 0.5);
  const json narrow = score_report(two_groups(), kLabels, {.bootstrap_samples = 500, .confidence = 0.2});
  EXPECT_DOUBLE_EQ(narrow["leak"]["character_leak_rate"], 3.0 / 16);
  expect_interval(narrow["leak"], "character_leak_rate", 3.0 / 16, 3.0 / 16);  // pooled: no mean of rates
  expect_interval(narrow["leak"], "document_leak_rate", 2.0 / 3, 2.0 / 3);
  expect_interval(narrow["leak"], "surface_leak_rate", 3.0 / 5, 3.0 / 5);
}

TEST(ScoreReport, IntervalsOfWhatIsUndefinedAreNull) {
  const auto expect_null = [](const std::vector<DocumentScore>& scores, std::int64_t samples, const char* why) {
    const json report = score_report(scores, kLabels, {.bootstrap_samples = samples});
    for (const std::string end : {"_low", "_high"}) {
      for (const char* reading : {"raw", "repaired"}) {
        EXPECT_TRUE(report[reading]["macro"].at("f1" + end).is_null()) << why;
        EXPECT_TRUE(report[reading]["macro_10"].at("f1" + end).is_null()) << why;
      }
      for (const char* reading : {"leak", "leak_repaired"}) {
        for (const std::string rate : {"character_leak_rate", "document_leak_rate", "surface_leak_rate"})
          EXPECT_TRUE(report[reading].at(rate + end).is_null()) << why;
      }
    }
  };
  expect_null({}, 100, "no texts");
  expect_null({two_groups().front()}, 100, "one group");
  expect_null(two_groups(), 0, "no resamples");
  std::vector<DocumentScore> without_gold(4);
  for (std::size_t i = 0; i < without_gold.size(); ++i) {
    without_gold[i].id = std::to_string(i);
    without_gold[i].raw.labels = {{"A", {0, 1, 0}}};
  }
  expect_null(without_gold, 100, "nothing gold");
}

TEST(ScoreReport, HeldOutLabelsAreSummed) {
  EXPECT_FALSE(score_report(documents(8), kLabels, {.bootstrap_samples = 10}).contains("held_out"));
  const json report = score_report(documents(8), kLabels, {.bootstrap_samples = 100, .held_out = {"B", "UNSEEN"}});
  EXPECT_EQ(report["held_out"]["labels"], json({"B", "UNSEEN"}));
  EXPECT_EQ(report["held_out"]["raw"], report["per_label"]["B"]);
  EXPECT_EQ(report["held_out"]["repaired"]["tp"], 4);
  EXPECT_DOUBLE_EQ(report["held_out"]["repaired"]["f1"], 8.0 / 12);
  const json both = score_report(documents(8), kLabels, {.bootstrap_samples = 100, .held_out = {"A", "B"}});
  EXPECT_EQ(both["held_out"]["raw"]["f1"], both["raw"]["strict"]["f1"]);
  EXPECT_EQ(both["held_out"]["repaired"]["f1_low"], both["repaired"]["strict"]["f1_low"]);
}

TEST(ScoreReport, HealthAndLeakAreRates) {
  const json report = score_report(documents(8), kLabels, {.bootstrap_samples = 0});
  const json& health = report["health"];
  EXPECT_EQ(health["answers"], 8);
  EXPECT_DOUBLE_EQ(health["well_formed"], 1.0);
  EXPECT_DOUBLE_EQ(health["copy_exact"], 1.0);
  EXPECT_DOUBLE_EQ(health["hit_max_tokens"], 0.125);
  EXPECT_DOUBLE_EQ(health["offset_wrong"], 0.25);
  EXPECT_EQ(health["counts"]["offset_wrong"], 4);
  EXPECT_DOUBLE_EQ(health["copy_cer"], 12.0 / 160);
  EXPECT_EQ(health["counts"]["copy_edits"], 12);
  EXPECT_EQ(health["counts"]["copy_length"], 160);
  // Gold 7 letters a text. All answers cover 4 of them, half also 2 of B's 3 and one letter beyond.
  EXPECT_DOUBLE_EQ(report["leak"]["character_leak_rate"], (4 * 3 + 4 * 1) / 56.0);
  EXPECT_DOUBLE_EQ(report["leak"]["per_label"]["A"]["character_leak_rate"], 0.0);
  EXPECT_DOUBLE_EQ(report["leak"]["per_label"]["B"]["character_leak_rate"], 16.0 / 24);
  EXPECT_EQ(report["leak"]["per_label"]["B"]["gold_characters"], 24);
  EXPECT_EQ(report["leak"]["per_label"]["B"]["leaked_characters"], 16);
  EXPECT_DOUBLE_EQ(report["leak"]["document_leak_rate"], 1.0);
  EXPECT_DOUBLE_EQ(report["leak_repaired"]["document_leak_rate"], 0.5);
  EXPECT_DOUBLE_EQ(report["leak"]["untyped"]["f2"], 5.0 * 40 / (4 * 56 + 44));
  EXPECT_TRUE(report["raw"]["strict"]["f1_low"].is_null()) << "no resamples, no interval";
}

TEST(ScoreReport, IntervalsHoldTheEstimateAndIgnoreTheOrderOfDocuments) {
  std::vector<DocumentScore> scores = documents(40);
  for (std::size_t i = 0; i < scores.size(); i += 3) scores[i].raw = score_spans({"", "abcd", {{0, 2, "A"}}, ""}, {});
  const json report = score_report(scores, kLabels, {.bootstrap_samples = 300, .seed = 9});
  for (const json& counts : {report["raw"]["strict"], report["raw"]["type"], report["repaired"]["partial"],
                             report["per_label"]["A"], report["value"]}) {
    EXPECT_LE(counts["f1_low"], counts["f1"]);
    EXPECT_GE(counts["f1_high"], counts["f1"]);
  }
  EXPECT_LT(report["raw"]["strict"]["f1_low"], report["raw"]["strict"]["f1_high"]);
  std::reverse(scores.begin(), scores.end());
  EXPECT_EQ(score_report(scores, kLabels, {.bootstrap_samples = 300, .seed = 9}), report);
}

// Twenty texts of one template are one observation: resampling texts alone would claim a far narrower interval.
TEST(ScoreReport, GroupsAreResampledTogether) {
  std::vector<DocumentScore> grouped;
  for (int i = 0; i < 100; ++i) {
    const Example gold{
        .id = std::to_string(i), .text = "abcd", .entities = {{0, 2, "A"}}, .group = std::to_string(i / 20)};
    grouped.push_back(score_document(gold, std::vector<Entity>{{0, i / 20 % 2 ? 2 : 3, "A"}}));
  }
  std::vector<DocumentScore> alone = grouped;
  for (DocumentScore& document : alone) document.group.clear();
  const auto width = [](const std::vector<DocumentScore>& scores) {
    const json strict = score_report(scores, kLabels, {.bootstrap_samples = 500})["raw"]["strict"];
    return strict["f1_high"].get<double>() - strict["f1_low"].get<double>();
  };
  EXPECT_GT(width(grouped), 3 * width(alone));
}

// Files of versions that did not count leaks by label: what they lack is null, not 0.
TEST(ScoreReport, OlderScoreFilesHaveNoLeakByLabel) {
  std::vector<DocumentScore> read;
  for (const DocumentScore& document : documents(8)) {
    json older = to_json(document);
    for (const char* reading : {"raw", "repaired"}) older[reading].erase("label_leaks");
    read.push_back(document_score_from_json(older));
  }
  const json report = score_report(read, kLabels, {.bootstrap_samples = 0});
  EXPECT_TRUE(report["leak"]["per_label"].is_null());
  EXPECT_DOUBLE_EQ(report["leak"]["character_leak_rate"], 16.0 / 56);
}

TEST(ScoreReport, NothingScoredIsNull) {
  const json report = score_report({}, kLabels, {});
  EXPECT_TRUE(report["raw"]["strict"]["f1"].is_null());
  EXPECT_TRUE(report["health"]["well_formed"].is_null());
  EXPECT_TRUE(report["leak"]["character_leak_rate"].is_null());
  EXPECT_TRUE(report["raw"]["trim_punct"]["f1"].is_null());
  EXPECT_EQ(strict_f1({}), 0.0);
}

TEST(ScoreReport, PatternsHaveNoHealth) {
  const Example gold{.id = "p", .text = "abcd", .entities = {{0, 2, "A"}}, .group = ""};
  const json report = score_report({score_document(gold, std::vector<Entity>{{0, 2, "A"}})}, kLabels, {});
  EXPECT_TRUE(report["health"]["well_formed"].is_null());
  EXPECT_TRUE(report["health"]["copy_cer"].is_null());
  EXPECT_DOUBLE_EQ(report["raw"]["strict"]["f1"], 1.0);
}

}  // namespace
}  // namespace entune
