#include "trainer/study/run_metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/corpus.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "tests/trainer/study/tiny_model.h"
#include "trainer/loop/early_end.h"
#include "trainer/study/study.h"

namespace entune::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// Stands in every text and nowhere else: where it turns up, text has leaked.
constexpr const char* kMarker = "Zzqx";

class RunMetricsTest : public testing::Test {
 protected:
  RunMetricsTest() {
    write_tiny_model(folder_ / "model");
    std::vector<Example> corpus;
    for (int i = 0; i < 40; ++i)
      corpus.push_back({.id = fmt::format("s{}", i),
                        .text = fmt::format("{} {} came", kMarker, i),
                        .entities = {{0, 4, "PERSON"}},
                        .group = fmt::format("g{}", i)});
    write_jsonl(folder_ / "corpus.jsonl", corpus);
  }

  std::filesystem::path run() const { return folder_ / "run"; }

  StudyOptions options(std::vector<std::string> overrides) const {
    const std::string recipe = fmt::format(
        "name: tiny\noutput: {0}/run\nmodel: {{path: {0}/model, chat: chatml, dtype: float32}}\n"
        "data: {{train: {0}/corpus.jsonl, split: {{train: 16, validation: 2, test: 4}}}}\n"
        "labels: {{PERSON: a name, AGE: an age}}\n"
        "training: {{global_batch: 4, epochs: 2, lora: {{rank: 2, alpha: 4}}}}\ngeneration: {{max_new_tokens: 6}}\n",
        folder_.path().string());
    return {.recipe = folder_.write("recipe.yaml", recipe), .overrides = std::move(overrides), .overwrite = true};
  }

  void run_on_two_ranks(const std::vector<std::string>& overrides) const {
    const StudyOptions written_once = options(overrides);
    spawn_ranks(2, [&](Communicator& world) { run_study(written_once, world); });
  }

  std::string page(int rank = 0) const { return read_file(run() / "metrics" / fmt::format("rank-{}.prom", rank)); }
  /// The value of one series of a rank's snapshot.
  double value(const std::string& series, int rank = 0) const {
    const std::string all = "\n" + page(rank);
    const std::size_t at = all.find("\n" + series + " ");
    EXPECT_NE(at, std::string::npos) << series;
    return at == std::string::npos ? -1.0 : std::stod(all.substr(at + series.size() + 2));
  }
  double phase(const std::string& name, int rank = 0) const {
    return value(fmt::format("entune_step_phase_seconds_total{{phase=\"{}\"}}", name), rank);
  }

  TemporaryDirectory folder_;
};

TEST_F(RunMetricsTest, PhasesAddUpToTheWallTimeOnEveryRank) {
  // Two data ranks, so that there is communication.
  const auto begin = std::chrono::steady_clock::now();
  run_on_two_ranks({"training.epochs=20"});
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (int rank = 0; rank < 2; ++rank) {
    double steps = 0.0, all = phase("evaluation", rank) + phase("checkpoint", rank) + phase("other", rank);
    for (const std::string name : {"data", "forward", "backward", "communication", "optimizer"}) {
      EXPECT_GT(phase(name, rank), 0.0) << name;
      steps += phase(name, rank);
    }
    all += steps;
    EXPECT_GT(phase("evaluation", rank), 0.0);
    EXPECT_NEAR(steps, value("entune_step_duration_seconds_sum", rank), 0.01 * steps);
    EXPECT_LE(all, wall);
    EXPECT_GE(all, 0.99 * wall);
  }
}

TEST_F(RunMetricsTest, CountsWhatTheLogsOfTheRunSay) {
  run_on_two_ranks({"training.prefix_sharing=false"});
  std::ifstream log(run() / "cells/tiny/steps.jsonl");
  double steps = 0, tokens = 0, loss = 0, validation_loss = 0;
  for (std::string line; std::getline(log, line);) {
    const auto record = nlohmann::json::parse(line);
    if (record["kind"] == "validation") validation_loss = record["loss"];
    if (record["kind"] != "step") continue;
    ++steps;
    tokens += record["tokens"]["executed"].get<double>();
    loss = record["loss"];
  }
  EXPECT_EQ(steps, 8);
  for (int rank = 0; rank < 2; ++rank) EXPECT_EQ(value("entune_steps_total", rank), steps);
  EXPECT_EQ(value("entune_samples_total"), 32);
  EXPECT_EQ(value("entune_tokens_total{kind=\"executed\"}"), tokens);
  const LlamaConfig c = set_up_cell(expand_study(folder_ / "recipe.yaml", {})[0].loaded.recipe, 1).config;
  const std::int64_t keys = c.num_kv_heads * c.head_dim * c.hidden_size,
                     queries = c.num_heads * c.head_dim * c.hidden_size;
  const std::int64_t after = queries + 3 * c.intermediate_size * c.hidden_size;  // o_proj and the MLP
  const auto all_rows = static_cast<double>(c.num_layers * (queries + 2 * keys) + (c.num_layers - 1) * after);
  EXPECT_EQ(value("entune_flops_total"),
            4.0 * (all_rows * tokens + static_cast<double>(after + c.vocab_size * c.hidden_size) *
                                           value("entune_tokens_total{kind=\"supervised\"}")));
  EXPECT_DOUBLE_EQ(value("entune_loss"), loss);
  EXPECT_DOUBLE_EQ(value("entune_validation_loss"), validation_loss);
  EXPECT_EQ(value("entune_epoch"), 2);
  EXPECT_EQ(value("entune_eval_texts_total{format=\"xml\",split=\"test\"}"), 4);
  EXPECT_EQ(value("entune_eval_texts_total{format=\"xml\",split=\"validation\"}"), 4) << "twice two";
  const auto summary = nlohmann::json::parse(read_file(run() / "summary.json"));
  EXPECT_DOUBLE_EQ(value("entune_eval_answers_ratio{format=\"xml\",health=\"parsed\",split=\"test\"}"),
                   summary["cells"][0]["scores"]["test"]["health"]["parsed"].get<double>());
  EXPECT_THAT(page(1), Not(HasSubstr("entune_loss")));

  // Of each step: the gradients in two buckets (of two kinds, ParameterBuckets), reduced over two data ranks, whose bus
  // carries half of them.
  const std::string reduce = "{axis=\"data\",collective=\"reduce_scatter\"}";
  EXPECT_EQ(value("entune_comm_calls_total" + reduce), 2 * steps);
  EXPECT_GT(value("entune_comm_bytes_total" + reduce), 0);
  EXPECT_EQ(value("entune_comm_bus_bytes_total" + reduce), 0.5 * value("entune_comm_bytes_total" + reduce));
  EXPECT_GT(value("entune_comm_seconds_total" + reduce), 0);
  EXPECT_EQ(value("entune_comm_calls_total{axis=\"tensor\",collective=\"all_reduce\"}"), 0);
}

TEST_F(RunMetricsTest, CheckpointsAreCountedAndTimed) {
  run_study(options({"training.optimizer.clip_norm=1e-6", "training.epochs=2"}), *make_self_communicator());
  EXPECT_EQ(value("entune_checkpoints_total{result=\"ok\"}"), 2);
  EXPECT_EQ(value("entune_checkpoints_total{result=\"failed\"}"), 0);
  double bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(run() / "cells/tiny/checkpoints/step_0000008"))
    if (entry.path().filename() != "manifest.json") bytes += static_cast<double>(entry.file_size());
  EXPECT_NEAR(value("entune_checkpoint_bytes_total"), 2 * bytes, 0.2 * bytes) << "the first has fewer losses";
  EXPECT_GT(phase("checkpoint"), 0.0);
  EXPECT_GT(value("entune_last_checkpoint_timestamp_seconds"), value("entune_start_timestamp_seconds"));
  EXPECT_GE(value("entune_last_success_timestamp_seconds"), value("entune_last_checkpoint_timestamp_seconds"));
  EXPECT_EQ(value("entune_clipped_steps_total"), 8);
  EXPECT_EQ(value("entune_skipped_steps_total{reason=\"loss\"}"), 0);
  EXPECT_THAT(page(), Not(HasSubstr("entune_restore_seconds ")));

  std::filesystem::remove(run() / "cells/tiny/cell.json");
  StudyOptions again = options({"training.optimizer.clip_norm=1e-6", "training.epochs=2", "checkpoint.resume=auto"});
  again.overwrite = false;
  run_study(again, *make_self_communicator());
  EXPECT_GT(value("entune_restore_seconds"), 0.0);
  EXPECT_EQ(value("entune_steps_total"), 0) << "all were done before";
}

TEST_F(RunMetricsTest, StepsThatWereNotFiniteAreCountedApart) {
  EXPECT_THROW(
      run_study(options({"training.optimizer={lr: 10, clip_norm: 0, eps: 1.0e-30, weight_decay: 10}",
                         "training.method=full", "training.epochs=100", "training.evaluate_every=none", "export=none"}),
                *make_self_communicator()),
      EarlyEnd);
  EXPECT_EQ(
      value("entune_skipped_steps_total{reason=\"loss\"}") + value("entune_skipped_steps_total{reason=\"gradient\"}"),
      3);
  EXPECT_EQ(value("entune_state{state=\"fail\"}"), 1);
}

TEST_F(RunMetricsTest, ABusyPortCostsAWarningAndNothingElse) {
  const MetricsExporter other("127.0.0.1", 0, [] { return std::string("other"); });
  testing::internal::CaptureStderr();
  // The first rank of a machine takes the port itself.
  run_study(options({fmt::format("telemetry.metrics.port={}", other.port()),
                     fmt::format("telemetry.metrics.targets_file={}", (folder_ / "no/such/targets.json").string())}),
            *make_self_communicator());
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr(fmt::format("warning: metrics: no exporter on rank 0 cannot listen on 127.0.0.1, port {}",
                                          other.port())));
  EXPECT_THAT(said, HasSubstr("targets.json: cannot be written"));
  EXPECT_EQ(value("entune_steps_total"), 8);
  EXPECT_TRUE(std::filesystem::exists(run() / "summary.json"));
}

TEST_F(RunMetricsTest, WithoutTheExporterThereIsASnapshotWithoutTimes) {
  run_study(options({"telemetry.metrics.enabled=false"}), *make_self_communicator());
  EXPECT_EQ(value("entune_steps_total"), 8);
  EXPECT_THAT(page(), Not(HasSubstr("entune_step_phase")));
  EXPECT_THAT(page(), Not(HasSubstr("entune_comm")));
}

TEST_F(RunMetricsTest, TheSnapshotOfARunThatFailsIsThereAndHoldsNoText) {
  // No room for such answers in the model's positions, which is seen when it is to answer.
  EXPECT_THAT(input_error_of([&] {
                run_study(options({"generation.max_new_tokens=8192", "training.evaluate_every=none"}),
                          *make_self_communicator());
              }),
              HasSubstr("positions"));
  EXPECT_EQ(value("entune_steps_total"), 8);
  EXPECT_EQ(value("entune_state{state=\"fail\"}"), 1);
  EXPECT_EQ(value("entune_state{state=\"finish\"}"), 0);
  EXPECT_THAT(page(), Not(HasSubstr(kMarker)));
}

TEST_F(RunMetricsTest, NoSnapshotOfAnEarlierRunStays) {
  run_on_two_ranks({});
  EXPECT_TRUE(std::filesystem::exists(run() / "metrics/rank-1.prom"));
  run_study(options({}), *make_self_communicator());
  EXPECT_FALSE(std::filesystem::exists(run() / "metrics/rank-1.prom"));
  StudyOptions apart = options({"study={seed: [1, 2]}"});
  apart.only_cell = "1";
  run_study(apart, *make_self_communicator());
  EXPECT_TRUE(std::filesystem::exists(run() / "cells/seed=2/metrics/rank-0.prom"));
}

}  // namespace
}  // namespace entune::test
