#include "trainer/telemetry/metric_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <stdexcept>
#include <string>

namespace entune {
namespace {

using testing::HasSubstr;
using testing::Not;

const LabelValues kValues = {{"format", {"xml", "json"}}, {"entity", {"PERSON"}}, {"health", {"parsed"}}};

TEST(MetricCatalog, NamesAndTextsAreAsPrometheusWantsThem) {
  std::set<std::string_view> names;
  for (const MetricSpec& metric : metric_catalog()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name << " stands there twice";
    EXPECT_TRUE(metric.name.starts_with("entune_")) << metric.name;
    EXPECT_EQ(metric.name.ends_with("_total"), metric.kind == MetricKind::counter) << metric.name;
    EXPECT_EQ(metric.name.ends_with("_info"), metric.kind == MetricKind::info) << metric.name;
    EXPECT_THAT(std::string(metric.name), HasSubstr(metric.unit.empty() ? "" : "_" + std::string(metric.unit)));
    EXPECT_FALSE(metric.help.empty()) << metric.name;
    EXPECT_EQ(metric.help.find_first_of("\n\\\""), std::string::npos) << "prometheus-cpp 1.0 does not escape it";
  }
}

TEST(MetricRegistry, EveryCounterIsThereFromTheStart) {
  const MetricRegistry registry(kValues, kFirstRank | kTiming);
  const std::string page = registry.text();
  for (const MetricSpec& metric : metric_catalog()) {
    const bool is_there = page.find("# TYPE " + std::string(metric.name) + " counter") != std::string::npos;
    EXPECT_EQ(is_there, metric.kind == MetricKind::counter && (metric.needs & kGpu) == 0) << metric.name;
  }
  EXPECT_THAT(page, HasSubstr("entune_steps_total 0\n"));
  EXPECT_THAT(page, HasSubstr("entune_comm_bytes_total{axis=\"tensor\",collective=\"all_gather\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("entune_eval_texts_total{format=\"json\",split=\"test\"} 0\n"));
}

TEST(MetricRegistry, CountsSetsAndObserves) {
  MetricRegistry registry(kValues, kFirstRank | kTiming);
  registry.add("tokens_total", {"executed"}, 40);
  registry.add("tokens_total", {"executed"}, 2.5);
  registry.raise_to("samples_total", {}, 7);
  registry.raise_to("samples_total", {}, 5);
  registry.set("loss", {}, 3);
  registry.set("loss", {}, 0.25);
  registry.observe("step_duration_seconds", 0.15);
  registry.set_one_of("state", "train");
  const std::string page = registry.text();
  EXPECT_THAT(page, HasSubstr("entune_tokens_total{kind=\"executed\"} 42.5\n"));
  EXPECT_THAT(page, HasSubstr("entune_tokens_total{kind=\"logical\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("entune_samples_total 7\n"));
  EXPECT_THAT(page, HasSubstr("entune_loss 0.25\n"));
  EXPECT_THAT(page, HasSubstr("entune_step_duration_seconds_bucket{le=\"0.1\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("entune_step_duration_seconds_bucket{le=\"0.2\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("entune_state{state=\"train\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("entune_state{state=\"start\"} 0\n"));
}

TEST(MetricRegistry, OneBadNumberDoesNotSpoilACounter) {
  MetricRegistry registry(kValues, kFirstRank);
  for (const double bad : {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    registry.add("loss_sum_total", {}, bad);
    registry.observe("step_duration_seconds", bad < 0 ? std::numeric_limits<double>::quiet_NaN() : bad);
  }
  registry.add("loss_sum_total", {}, 1.5);
  EXPECT_THAT(registry.text(), HasSubstr("entune_loss_sum_total 1.5\n"));
  EXPECT_THAT(registry.text(), HasSubstr("entune_step_duration_seconds_count 0\n"));
}

TEST(MetricRegistry, LabelSetsAreClosed) {
  MetricRegistry registry(kValues, kFirstRank);
  EXPECT_THROW(registry.add("tokens_total", {"other"}, 1), std::logic_error);
  EXPECT_THROW(registry.add("tokens_total", {}, 1), std::logic_error);
  EXPECT_THROW(registry.set("tokens_total", {"logical"}, 1), std::logic_error) << "a counter";
  EXPECT_THROW(registry.add("no_such_total", {}, 1), std::logic_error);
  EXPECT_THROW(registry.set("eval_entity_f1_ratio", {"xml", "test", "raw", "AGE"}, 1), std::logic_error);
  EXPECT_THROW(registry.add("comm_calls_total", {"data", "no_such"}, 1), std::logic_error) << "checked on every rank";
  try {
    registry.add("tokens_total", {"Zzqx of a text"}, 1);
  } catch (const std::logic_error& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("Zzqx")));
  }
  EXPECT_THROW(MetricRegistry({{"format", {"xml"}}}, 0), std::logic_error) << "without the values of `entity`";
}

TEST(MetricRegistry, ARankHasWhatIsItsOwn) {
  MetricRegistry registry(kValues, 0);
  registry.add("tokens_total", {"logical"}, 5);
  registry.set("loss", {}, 1);
  registry.add("step_phase_seconds_total", {"data"}, 1);
  registry.add("steps_total", {}, 1);
  const std::string page = registry.text();
  EXPECT_THAT(page, HasSubstr("entune_steps_total 1\n"));
  for (const std::string name : {"entune_tokens_total", "entune_loss", "entune_step_phase_seconds_total"})
    EXPECT_THAT(page, Not(HasSubstr(name)));
  // Nothing says that there is a GPU until there is one.
  EXPECT_THAT(page, Not(HasSubstr("entune_oom_total")));
  registry.raise_to("oom_total", {}, 0);
  EXPECT_THAT(registry.text(), HasSubstr("entune_oom_total 0\n"));
}

TEST(MetricRegistry, AnInfoHasOneSetOfLabels) {
  MetricRegistry registry(kValues, 0);
  registry.set_info("build_info", {"1", "gcc", "no"});
  registry.set_info("build_info", {"2", "g\"c\\c\n", "no"});
  const std::string page = registry.text();
  EXPECT_THAT(page, Not(HasSubstr("torch=\"1\"")));
  EXPECT_THAT(page, HasSubstr("entune_build_info{compiler=\"g\\\"c\\\\c\\n\",cuda=\"no\",torch=\"2\"} 1\n"));
}

}  // namespace
}  // namespace entune
