#include "trainer/report/summary_file.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "trainer/report/cell_comparison.h"
#include "trainer/report/summary_numbers.h"

namespace entune {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

json cell(const std::string& name, const std::string& format, int seed, double f1 = 0.5) {
  return {{"name", name},
          {"format", format},
          {"seed", seed},
          {"method", "lora"},
          {"overrides", {{"task.format", format}, {"seed", seed}}},
          {"scores", {{"test", {{"raw", {{"strict", {{"f1", f1}}}}}}}}}};
}

json summary(const std::vector<json>& cells) {
  return {{"entune", 1},
          {"name", "study"},
          {"labels", {{{"name", "A"}, {"description", "first"}}}},
          {"cells", cells},
          {"comparisons", {{{"a", "old"}}}},
          {"corpus", {{"train", 8}, {"test", 4}, {"left_out", {{"bio", 1}}}}}};
}

class SummaryFile : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path write(const std::string& text) {
    std::ofstream(folder_ / "bad.json") << text;
    return folder_ / "bad.json";
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("entune_summary_" + std::to_string(getpid()));
};

TEST_F(SummaryFile, GivesTheSameSummaryBackAndLeavesNothingBeside) {
  const json written = summary({cell("x", "xml", 1), cell("j", "json", 1)});
  const auto path = folder_ / "deep" / "summary.json";
  write_summary(path, written);
  write_summary(path, written);
  EXPECT_EQ(read_summary(path), written);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}), 1);
}

TEST_F(SummaryFile, NumbersThatAreNotFiniteAndBytesThatAreNoTextAreStillJson) {
  json bad = summary({cell("x", "xml", 1, std::numeric_limits<double>::quiet_NaN())});
  bad["name"] = "a\xFF";
  write_summary(folder_ / "summary.json", bad);
  const json read = read_summary(folder_ / "summary.json");
  EXPECT_TRUE(read["cells"][0]["scores"]["test"]["raw"]["strict"]["f1"].is_null());
  EXPECT_EQ(read["name"], "a\uFFFD");
}

TEST_F(SummaryFile, RefusesWhatIsNoSummary) {
  const auto refused = [&](const std::string& text, const std::string& why) {
    const auto path = write(text);
    EXPECT_THAT([&] { read_summary(path); },
                ThrowsMessage<InputError>(AllOf(HasSubstr(path.string()), HasSubstr(why))));
  };
  refused("{", "expected JSON");
  refused("[]", "object");
  refused("{}", "\"entune\": 1");
  refused(R"({"entune": 2, "labels": [], "cells": []})", "\"entune\": 1");
  refused(R"({"entune": 1, "cells": []})", "labels");
  refused(R"({"entune": 1, "labels": [{}], "cells": []})", "labels");
  refused(R"({"entune": 1, "labels": [], "cells": 3})", "cells");
  refused(R"({"entune": 1, "labels": [], "cells": [{"name": ""}]})", "name");
  refused(R"({"entune": 1, "labels": [], "cells": [{"name": "x"}, {"name": "x"}]})", "'x' twice");
  refused(R"({"entune": 1, "labels": [], "cells": [{"name": "x", "scores": 1}]})", "scores");
  EXPECT_THROW(read_summary(folder_ / "absent.json"), InputError);
}

TEST_F(SummaryFile, FolderThatCannotBeWrittenIsAnInputError) {
  const auto file = write("x");
  EXPECT_THROW(write_summary(file / "summary.json", json::object()), InputError);
}

TEST(MergeSummaries, UnionByNameLaterWins) {
  json second = summary({cell("j", "json", 1, 0.9), cell("b", "bio", 1)});
  second["corpus"]["left_out"] = {{"json", 2}};
  const json merged = merge_summaries({summary({cell("x", "xml", 1), cell("j", "json", 1, 0.1)}), second});
  std::vector<std::string> names;
  for (const json& one : merged["cells"]) names.push_back(one["name"]);
  EXPECT_THAT(names, ElementsAre("x", "j", "b"));
  EXPECT_EQ(merged["cells"][1]["scores"]["test"]["raw"]["strict"]["f1"], 0.9);
  EXPECT_EQ(merged["corpus"]["left_out"], (json{{"bio", 1}, {"json", 2}}));
  EXPECT_TRUE(merged["comparisons"].empty()) << "they no longer fit the cells";
}

TEST(MergeSummaries, RefusesWhatCannotBeCompared) {
  const json first = summary({cell("x", "xml", 1)});
  json labels = first, sizes = first, splits = first;
  labels["labels"][0]["name"] = "B";
  sizes["corpus"]["test"] = 5;
  splits["cells"][0]["scores"] = {{"validation", json::object()}};
  EXPECT_THAT([&] { merge_summaries({first, labels}); }, ThrowsMessage<InputError>(HasSubstr("label list")));
  EXPECT_THAT([&] { merge_summaries({first, sizes}); }, ThrowsMessage<InputError>(HasSubstr("sizes of the splits")));
  EXPECT_THAT([&] { merge_summaries({first, splits}); }, ThrowsMessage<InputError>(HasSubstr("scored splits")));
  EXPECT_THROW(merge_summaries({}), InputError);
  EXPECT_EQ(merge_summaries({first, first})["cells"].size(), 1u);
}

TEST(Variants, CellsThatDifferBySeedAloneAreOne) {
  json other = cell("x3", "xml", 1);
  other["overrides"]["training.epochs"] = 3;
  const json study = summary({cell("x1", "xml", 1), cell("j1", "json", 1), cell("x2", "xml", 2), other});
  const std::vector<Variant> variants = variants_of(study);
  ASSERT_EQ(variants.size(), 3u);
  EXPECT_EQ(variants[0].name, "xml");
  EXPECT_EQ(variants[0].cells.size(), 2u);
  EXPECT_EQ(variants[1].name, "j1");
  EXPECT_EQ(variants[2].name, "x3");
  EXPECT_EQ(variant_name(other), "xml epochs=3");
  other["method"] = "none";
  EXPECT_EQ(variant_name(other), "xml none epochs=3");
}

TEST(Variants, MeanAndDeviationOfSeeds) {
  const json study = summary({cell("x1", "xml", 1, 0.4), cell("x2", "xml", 2, 0.6), cell("x3", "xml", 3, 0.8)});
  const auto mean = mean_over(variants_of(study)[0].cells, {"scores", "test", "raw", "strict", "f1"});
  EXPECT_DOUBLE_EQ(mean->mean, 0.6);
  EXPECT_DOUBLE_EQ(mean->deviation, 0.2);
  EXPECT_FALSE(mean_over(variants_of(study)[0].cells, {"scores", "test", "absent"}).has_value());
}

TEST(Variants, NumbersAsText) {
  EXPECT_EQ(fixed(0.12345, 3), "0.123");
  EXPECT_EQ(fixed(std::nullopt, 3), "–");
  EXPECT_EQ(percent(0.973), "97.3 %");
  EXPECT_EQ(grouped(1234567.0), "1\u202F234\u202F567");
  EXPECT_EQ(grouped(-123.0), "-123");
}

/// One text for each of `right`, with a gold entity that is found or not; two texts to a group.
std::vector<DocumentScore> documents(const std::vector<bool>& right) {
  std::vector<DocumentScore> result;
  for (std::size_t i = 0; i < right.size(); ++i) {
    const Example gold{.id = "d" + std::to_string(i),
                       .text = "abcdef",
                       .entities = {{0, 2, "A"}},
                       .group = "g" + std::to_string(i / 2)};
    ParsedAnswer answer;
    answer.mentions.push_back({"ab", "A", right[i] ? Entity{0, 2, "A"} : Entity{1, 3, "A"}, Entity{0, 2, "A"}});
    result.push_back(score_document(gold, answer, false));
  }
  return result;
}

TEST(CompareCells, DifferenceTestAndCorrection) {
  const std::vector<bool> all(40, true), none(40, false);
  const json rows =
      compare_cells({{"x", "", "test", documents(all)}, {"j", "", "test", documents(none)}}, {.rounds = 999});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["a"], "x");
  EXPECT_EQ(rows[0]["b"], "j");
  EXPECT_EQ(rows[0]["metric"], "strict_f1");
  EXPECT_EQ(rows[0]["split"], "test");
  EXPECT_EQ(rows[0]["reading"], "raw");
  EXPECT_EQ(rows[0]["difference"], 1.0);
  EXPECT_EQ(rows[0]["low"], 1.0);
  EXPECT_EQ(rows[0]["high"], 1.0);
  // 20 groups swap: 2 of 2^20 ways are as large, so hardly any of 999 rounds.
  EXPECT_DOUBLE_EQ(rows[0]["p_value"], 0.001);
  EXPECT_DOUBLE_EQ(rows[0]["p_holm"], 0.002);
  EXPECT_EQ(rows[1]["reading"], "repaired");
  EXPECT_EQ(rows[1]["difference"], 0.0);
  EXPECT_EQ(rows[1]["p_value"], 1.0);
  EXPECT_EQ(rows[1]["p_holm"], 1.0);
}

TEST(CompareCells, HeldOutLabelsByThemselves) {
  const std::vector<bool> all(40, true), none(40, false);
  const json rows = compare_cells({{"x", "", "test", documents(all)}, {"j", "", "test", documents(none)}},
                                  {.rounds = 99, .held_out = {"B", "A"}});
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[2]["metric"], "held_out_f1");
  EXPECT_EQ(rows[2]["reading"], "raw");
  EXPECT_EQ(rows[2]["difference"], 1.0);
  EXPECT_EQ(rows[2]["p_holm"], rows[0]["p_holm"]) << "a family of its own";
  const json other = compare_cells({{"x", "", "test", documents(all)}, {"j", "", "test", documents(none)}},
                                   {.rounds = 99, .held_out = {"B"}});
  EXPECT_EQ(other.size(), 2u) << "no such entity, nothing to compare";
}

TEST(CompareCells, SeedsArePooledAndWeighedAsOneRun) {
  const std::vector<bool> all(12, true), none(12, false);
  // Two runs of xml, one right and one wrong, against one run of patterns that is right: 0.5 - 1.
  const json rows = compare_cells({{"xml-1", "xml", "test", documents(all)},
                                   {"xml-2", "xml", "test", documents(none)},
                                   {"patterns", "patterns", "test", documents(all)}},
                                  {.rounds = 999});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["a"], "xml");
  EXPECT_EQ(rows[0]["b"], "patterns");
  EXPECT_DOUBLE_EQ(rows[0]["difference"], -0.5);
  // Of the 2^6 ways to swap six groups 2 are as large.
  EXPECT_NEAR(rows[0]["p_value"].get<double>(), 2.0 / 64, 0.02);
}

TEST(CompareCells, RepeatingARunChangesNothing) {
  std::vector<bool> a, b;
  for (int i = 0; i < 40; ++i) {
    a.push_back(i % 3 != 0);
    b.push_back(i % 4 == 0 || i > 25);
  }
  const json once = compare_cells({{"a", "", "test", documents(a)}, {"b", "", "test", documents(b)}}, {});
  const json thrice = compare_cells({{"a1", "a", "test", documents(a)},
                                     {"a2", "a", "test", documents(a)},
                                     {"a3", "a", "test", documents(a)},
                                     {"b", "b", "test", documents(b)}},
                                    {});
  EXPECT_EQ(once, thrice);
  EXPECT_GT(once[0]["p_value"], 0.01) << "the case must not be one that any weights would decide";
  EXPECT_LT(once[0]["p_value"], 0.9);
}

TEST(CompareCells, EachSplitByItself) {
  const std::vector<bool> some = {true, false, true, true};
  const json rows = compare_cells({{"x", "", "test", documents(some)},
                                   {"x", "", "validation", documents({true, true})},
                                   {"j", "", "test", documents(some)},
                                   {"j", "", "validation", documents({true, true})},
                                   {"b", "", "test", documents(some)}},
                                  {.schemes = {Scheme::strict, Scheme::type}, .rounds = 9});
  int test = 0, validation = 0;
  for (const json& row : rows) ++(row["split"] == "test" ? test : validation);
  EXPECT_EQ(test, 3 * 2 * 2);
  EXPECT_EQ(validation, 1 * 2 * 2);
  EXPECT_TRUE(compare_cells({{"x", "", "test", documents(some)}}, {}).empty());
  EXPECT_TRUE(compare_cells({}, {}).empty());
}

TEST(CompareCells, FreeAnswersAreFamiliesOfTheirOwn) {
  const std::vector<bool> all(40, true), none(40, false);
  std::vector<bool> half;
  for (int i = 0; i < 40; ++i) half.push_back(i % 2 == 0);
  const std::vector<NamedDocuments> constrained = {{"x", "", "test", documents(all)},
                                                   {"j", "", "test", documents(half)}};
  std::vector<NamedDocuments> cells = constrained;
  cells.push_back({"x, free", "", "test", documents(half), "x"});
  cells.push_back({"j, free", "", "test", documents(none), "j"});
  const ComparisonOptions options{.rounds = 999};
  const json rows = compare_cells(cells, options), alone = compare_cells(constrained, options);
  std::vector<std::string> raw;
  for (const json& row : rows) {
    if (row["reading"] == "raw") raw.push_back(row["a"].get<std::string>() + " - " + row["b"].get<std::string>());
  }
  EXPECT_THAT(raw, ElementsAre("x - j", "x, free - j, free", "x - x, free", "j - j, free"));
  ASSERT_EQ(alone.size(), 2u);
  EXPECT_EQ(rows[0], alone[0]) << "free answers beside them change no correction";
  EXPECT_EQ(rows[2]["p_holm"], rows[0]["p_holm"]) << "two rows in their family, too";
  EXPECT_GT(rows[4]["p_holm"], rows[0]["p_holm"]) << "four rows in this one";
}

TEST(CompareCells, OtherTextsAreRefused) {
  std::vector<DocumentScore> renamed = documents({true, true});
  renamed[1].id = "else";
  EXPECT_THAT(
      [&] {
        compare_cells({{"x", "", "test", documents({true, true})}, {"j", "", "test", renamed}}, {});
      },
      ThrowsMessage<InputError>(HasSubstr("same texts")));
  EXPECT_THROW(compare_cells({{"x", "", "test", documents({true, true})}, {"j", "", "test", documents({true})}}, {}),
               InputError);
}

}  // namespace
}  // namespace entune
