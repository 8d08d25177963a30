#include "trainer/report/scaling_report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "tests/support/temporary_directory.h"

namespace entune::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

json benchmark(int data, int tensor, double tokens_per_second, bool weak = false) {
  return {{"scaling", weak ? "weak" : "strong"},
          {"method", "lora"},
          {"model", {{"name", "a <model>, \"7B\""}}},
          {"dtype", "bfloat16"},
          {"device", "cuda"},
          {"ranks", {{"world", data * tensor}, {"data", data}, {"tensor", tensor}}},
          {"place", {{"machines", 1}, {"ranks_per_machine", data * tensor}, {"crowded", false}}},
          {"prefix_sharing", true},
          {"global_batch", weak ? 16 * data : 16},
          {"median_step_seconds", 0.5},
          {"tokens_per_second", {{"logical", tokens_per_second}, {"executed", tokens_per_second / 4}}},
          {"phases",
           {{"data", {{"mean", 0.0}}},
            {"forward", {{"mean", 1.0}}},
            {"backward", {{"mean", 2.0}}},
            {"communication", {{"mean", data * tensor == 1 ? 0.0 : 1.0}}},
            {"optimizer", {{"mean", 0.0}}}}},
          {"peak_memory_bytes", std::vector<double>(data * tensor, 1073741824.0)},
          {"mfu", {{"at_4n", 0.5}, {"at_6n", 0.75}}},
          {"gpu_hour_price_usd", 3.6}};
}

class ScalingReport : public testing::Test {
 protected:
  void add(const json& run) { folder_.write(std::to_string(num_files_++) + ".json", run.dump()); }
  std::vector<ScalingRow> rows(const std::optional<TrainingCost>& training = {}) const {
    return scaling_rows(read_scaling_runs({folder_.path()}), training);
  }

  TemporaryDirectory folder_;
  int num_files_ = 0;
};

TEST_F(ScalingReport, EfficiencyIsOfTheSmallestSizeOfTheSameKind) {
  add(benchmark(4, 1, 3000));
  add(benchmark(1, 1, 1000));
  add(benchmark(1, 2, 1400));
  add(benchmark(1, 1, 500, /*weak=*/true));
  add(benchmark(2, 1, 900, /*weak=*/true));
  const std::vector<ScalingRow> all = rows();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0].efficiency, 1.0);
  EXPECT_EQ(all[1].run.tensor, 2);
  EXPECT_DOUBLE_EQ(all[1].efficiency, 0.7);
  EXPECT_DOUBLE_EQ(all[2].speedup, 3.0);
  EXPECT_DOUBLE_EQ(all[2].efficiency, 0.75);
  EXPECT_DOUBLE_EQ(all[2].run.exposed, 0.25);
  EXPECT_TRUE(all[3].run.weak);
  EXPECT_EQ(all[3].efficiency, 1.0) << "weak scaling has a base of its own";
  EXPECT_DOUBLE_EQ(all[4].efficiency, 0.9);
}

TEST_F(ScalingReport, ACrowdedSizeIsNoBaseAndIsNotDrawn) {
  json crowded = benchmark(1, 1, 100);
  crowded["place"]["crowded"] = true;
  add(crowded);
  add(benchmark(2, 1, 1000));
  add(benchmark(4, 1, 1500));
  const std::vector<ScalingRow> all = rows();
  EXPECT_DOUBLE_EQ(all[2].efficiency, 0.75);
  EXPECT_THAT(scaling_table(all), HasSubstr("\n1*  "));
  EXPECT_THAT(scaling_table(all), HasSubstr("more ranks on a machine"));
  EXPECT_THAT(scaling_csv(all), HasSubstr(",1,1,1,1,1,1,16,"));
}

TEST_F(ScalingReport, OfSeveralRunsTheMedianCounts) {
  for (const double speed : {900.0, 5000.0, 1000.0}) add(benchmark(1, 1, speed));
  const std::vector<ScalingRow> all = rows();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].num_runs, 3u);
  EXPECT_EQ(all[0].run.tokens_per_second, 1000.0);
  json elsewhere = benchmark(1, 1, 1000.0);
  elsewhere["place"]["crowded"] = true;
  add(elsewhere);
  EXPECT_EQ(rows().size(), 2u) << "another placement is another row";
}

TEST_F(ScalingReport, APointCostsWhatTheWholeTrainingTakes) {
  add(benchmark(2, 1, 1000));
  // 3.6 M tokens at 500 a second and rank: two rank hours, for 50 points.
  const json summary = {{"name", "r"},
                        {"cells",
                         {{{"name", "patterns"}},
                          {{"name", "c"},
                           {"train", {{"tokens", {{"logical", 3600000}}}}},
                           {"scores", {{"test", {{"raw", {{"strict", {{"f1", 0.5}}}}}}}}}}}}};
  const std::vector<ScalingRow> all = rows(training_cost(summary));
  EXPECT_DOUBLE_EQ(*all[0].rank_hours_a_point, 0.04);
  EXPECT_DOUBLE_EQ(*all[0].usd_a_point, 0.04 * 3.6);
  EXPECT_THAT(scaling_table(all), HasSubstr("0.1440"));
  EXPECT_THROW(training_cost({{"name", "r"}, {"cells", json::array()}}), InputError);
}

TEST_F(ScalingReport, ThePageHoldsAChartAndEscapesNames) {
  add(benchmark(1, 1, 1000));
  add(benchmark(2, 1, 1900));
  const std::string html = scaling_html(rows());
  EXPECT_THAT(html, AllOf(HasSubstr("a &lt;model&gt;"), Not(HasSubstr("a <model>")), HasSubstr("<svg")));
  EXPECT_THAT(html, HasSubstr("95.0 %"));
  EXPECT_THAT(scaling_csv(rows()), HasSubstr("\"a <model>, \"\"7B\"\", lora"));
}

TEST_F(ScalingReport, WhatIsNoBenchmarkIsNamed) {
  const auto fault = [&](const std::string& text) {
    const std::filesystem::path file = folder_.write("bad.json", text);
    try {
      read_scaling_runs({file});
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  for (const std::string text : {"", "{}", "[1]", "{\"method\": 1}"})
    EXPECT_THAT(fault(text), HasSubstr("bad.json: expected a line that `trainer benchmark --output`")) << text;
  json no_speed = benchmark(1, 1, 0.0);
  EXPECT_THAT(fault(no_speed.dump()), HasSubstr("bad.json"));
  EXPECT_THROW(read_scaling_runs({folder_ / "absent.json"}), InputError);
  std::filesystem::create_directory(folder_ / "empty");
  EXPECT_THROW(read_scaling_runs({folder_ / "empty"}), InputError);
}

}  // namespace
}  // namespace entune::test
