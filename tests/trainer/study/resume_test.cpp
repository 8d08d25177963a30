#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/corpus.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "tests/trainer/study/tiny_model.h"
#include "trainer/loop/checkpoint_directory.h"
#include "trainer/loop/early_end.h"
#include "trainer/loop/stop_signal.h"
#include "trainer/study/study.h"

namespace entune::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

std::vector<Example> corpus() {
  std::vector<Example> examples;
  for (int i = 0; i < 24; ++i) {
    Example example{.id = fmt::format("r{}", i), .text = {}, .entities = {}, .group = fmt::format("g{}", i % 8)};
    example.text = fmt::format("Ann {} met Bo", i);
    example.entities.push_back({0, 3, "PERSON"});
    examples.push_back(example);
  }
  return examples;
}

/// Runs of a study on a tiny model: two epochs of three steps with several micro-batches each, evaluated every two
/// steps, so that the best weights are not the last.
class Resume : public testing::Test {
 protected:
  Resume() {
    write_tiny_model(folder_ / "model");
    write_jsonl(folder_ / "corpus.jsonl", corpus());
    write_file(folder_ / "recipe.yaml",
               fmt::format("name: tiny\nmodel: {{path: {}, chat: chatml, dtype: float32}}\n"
                           "data: {{train: {}, split: {{by: template_id, train: 12, validation: 3, test: 3}}}}\n"
                           "labels:\n  PERSON: name of a person\ntask: {{prompt: minimal}}\n"
                           "training:\n  lora: {{rank: 2, alpha: 4}}\n  epochs: 2\n  global_batch: 4\n"
                           "  micro_batch_tokens: 300\n  evaluate_every: 2\n  keep_best: loss\n"
                           "  optimizer: {{lr: 0.5}}\n  schedule: {{warmup_steps: 0, decay: constant}}\n"
                           "generation: {{max_new_tokens: 4}}\nevaluation: {{baseline: none, bootstrap: 0}}\n"
                           "checkpoint: {{every: 1, keep: 100}}\n",
                           (folder_ / "model").string(), (folder_ / "corpus.jsonl").string()));
  }

  void run(const std::string& output, std::vector<std::string> overrides, Communicator& world) const {
    overrides.push_back("output=" + (folder_ / output).string());
    run_study({.recipe = folder_ / "recipe.yaml", .overrides = overrides}, world);
  }
  /// On as many ranks as a layout has.
  void run_on(int ranks, const std::string& output, const std::vector<std::string>& overrides) const {
    if (ranks == 1) return run(output, overrides, *self_);
    spawn_ranks(ranks, [&](Communicator& world) { run(output, overrides, world); });
  }

  /// What is left of the run `from` if it was killed when step `step` had just been saved.
  void cut(const std::string& from, const std::string& to, std::int64_t step) const {
    fs::copy(folder_ / from, folder_ / to, fs::copy_options::recursive);
    for (const fs::path& checkpoint : list_checkpoints(cell(to) / "checkpoints")) {
      if (checkpoint_step(checkpoint) > step) fs::remove_all(checkpoint);
    }
    fs::remove(cell(to) / "cell.json");
  }

  fs::path cell(const std::string& run) const { return folder_ / run / "cells/tiny"; }
  json results(const std::string& run) const { return json::parse(read_file(cell(run) / "cell.json")); }

  /// Records of steps.jsonl without their times.
  std::vector<json> records(const std::string& run) const {
    std::vector<json> all;
    std::istringstream lines(read_file(cell(run) / "steps.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      all.push_back(json::parse(line));
      all.back().erase("seconds");
    }
    return all;
  }

  void expect_same(const std::string& a, const std::string& b, const std::string& weights) const {
    EXPECT_EQ(read_file(cell(a) / weights), read_file(cell(b) / weights)) << b;
    EXPECT_FALSE(read_file(cell(a) / weights).empty());
    EXPECT_EQ(records(a), records(b)) << b;
    for (const char* key : {"losses", "validation", "tokens", "samples", "skipped_steps"})
      EXPECT_EQ(results(a)["train"][key], results(b)["train"][key]) << key;
    EXPECT_EQ(results(a)["scores"], results(b)["scores"]);
  }

  TemporaryDirectory folder_;
  std::unique_ptr<Communicator> self_ = make_self_communicator();
};

const std::string kAdapter = "adapter/adapter_model.safetensors";
const std::string kModel = "model/model.safetensors";

TEST_F(Resume, ARunThatWasCutEndsAsTheOneThatWasNot) {
  for (const int ranks : {1, 2}) {
    const std::string uncut = fmt::format("uncut{}", ranks);
    run_on(ranks, uncut, {});
    ASSERT_EQ(list_checkpoints(cell(uncut) / "checkpoints").size(), 6u);
    const json validation = results(uncut)["train"]["validation"];
    ASSERT_EQ(validation.size(), 3u);
    for (const std::int64_t step : {1, 2, 3, 4, 6}) {
      const std::string resumed = fmt::format("from{}on{}", step, ranks);
      cut(uncut, resumed, step);
      run_on(ranks, resumed, {"checkpoint.resume=auto"});
      expect_same(uncut, resumed, kAdapter);
    }
  }
}

TEST_F(Resume, FullFineTuningToo) {
  for (const int ranks : {1, 2}) {
    const std::string uncut = fmt::format("uncut{}", ranks), resumed = fmt::format("resumed{}", ranks);
    const std::vector<std::string> full = {"training.method=full", "export=hf", "training.optimizer.lr=0.01"};
    run_on(ranks, uncut, full);
    cut(uncut, resumed, 4);
    std::vector<std::string> again = full;
    again.push_back("checkpoint.resume=auto");
    run_on(ranks, resumed, again);
    expect_same(uncut, resumed, kModel);
  }
}

TEST_F(Resume, AnotherLayoutSeesTheSameSamples) {
  const auto losses = [&](const std::string& run) { return results(run)["train"]["losses"]; };
  // One epoch goes over the same sums whatever the layout: a small learning rate keeps rounding small.
  const std::string calm = "training.optimizer.lr=0.01";
  run_on(2, "data", {calm});
  run_on(2, "tensor", {calm, "parallel.tensor=2"});
  const auto expect_near = [&](const std::string& resumed, const std::string& uncut) {
    ASSERT_EQ(losses(resumed).size(), losses(uncut).size());
    for (std::size_t i = 0; i < losses(uncut).size(); ++i)
      EXPECT_NEAR(losses(resumed)[i]["loss"].get<double>(), losses(uncut)[i]["loss"].get<double>(), 1e-4) << i;
    EXPECT_EQ(results(resumed)["train"]["tokens"]["supervised"], results(uncut)["train"]["tokens"]["supervised"]);
  };
  cut("data", "alone", 2);
  run_on(1, "alone", {calm, "checkpoint.resume=auto"});
  expect_near("alone", "data");
  cut("tensor", "data_again", 2);
  run_on(2, "data_again", {calm, "checkpoint.resume=auto"});
  expect_near("data_again", "tensor");
}

TEST_F(Resume, AnotherRecipeOrOtherDataAreRefusedByName) {
  run_on(1, "uncut", {});
  cut("uncut", "cut", 2);
  const auto error = [&](std::vector<std::string> overrides) {
    overrides.push_back("checkpoint.resume=auto");
    return input_error_of([&] { run("cut", overrides, *self_); });
  };
  EXPECT_THAT(error({"training.lora.alpha=8", "seed=3"}),
              HasSubstr("found other values of seed, training.lora.alpha;"));
  std::vector<Example> other = corpus();
  other[3].text.back() = 'e';
  write_jsonl(folder_ / "corpus.jsonl", other);
  EXPECT_THAT(error({}), HasSubstr("the files of data.train have changed"));
  write_jsonl(folder_ / "corpus.jsonl", corpus());
  EXPECT_THAT(input_error_of([&] { run("cut", {}, *self_); }), HasSubstr("--resume auto"));
  EXPECT_THAT(input_error_of([&] { run("other", {"checkpoint.resume=" + (folder_ / "nothing").string()}, *self_); }),
              HasSubstr("checkpoint.resume: expected"));
  EXPECT_THAT(input_error_of([&] {
                run("cut", {"checkpoint.resume=x", "study.seed=[1,2]"}, *self_);
              }),
              HasSubstr("give --cell, or auto"));
  // From one checkpoint, into another folder.
  run("other", {"checkpoint.resume=" + (cell("cut") / "checkpoints" / checkpoint_name(1)).string()}, *self_);
  EXPECT_EQ(read_file(cell("other") / kAdapter), read_file(cell("uncut") / kAdapter));
}

TEST_F(Resume, BrokenCheckpointsNeverMeanAStartAnew) {
  run_on(1, "uncut", {});
  cut("uncut", "cut", 2);
  for (const fs::path& checkpoint : list_checkpoints(cell("cut") / "checkpoints")) {
    if (checkpoint_step(checkpoint) == 2) fs::resize_file(checkpoint / "rank_00000.safetensors", 100);
  }
  run("cut", {"checkpoint.resume=auto"}, *self_);
  expect_same("uncut", "cut", kAdapter);

  cut("uncut", "lost", 2);
  for (const fs::path& checkpoint : list_checkpoints(cell("lost") / "checkpoints"))
    fs::remove(checkpoint / "state.json");
  try {
    run("lost", {"checkpoint.resume=auto"}, *self_);
    FAIL() << "started anew";
  } catch (const EarlyEnd& end) {
    EXPECT_EQ(end.code(), EarlyEnd::no_usable_checkpoint);
  }
}

// A learning rate that no number survives: the first update's weights give no finite loss.
TEST_F(Resume, ThreeStepsInARowThatAreNotFiniteEndTheRun) {
  try {
    testing::internal::CaptureStderr();
    run("lost",
        {"training.optimizer={lr: 10, clip_norm: 0, eps: 1.0e-30, weight_decay: 10}", "training.method=full",
         "export=none", "training.epochs=100", "training.evaluate_every=none"},
        *self_);
    testing::internal::GetCapturedStderr();
    FAIL() << "finished";
  } catch (const EarlyEnd& end) {
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(end.code(), EarlyEnd::not_finite);
    EXPECT_THAT(end.what(), HasSubstr("step_"));
    EXPECT_THAT(said, testing::ContainsRegex("not applied; the samples were r[0-9]+, r[0-9]+"));
    EXPECT_EQ(said.find("Ann"), std::string::npos);
    const std::vector<json> all = records("lost");
    for (std::size_t i = all.size() - 3; i < all.size(); ++i) EXPECT_TRUE(all[i]["skipped"].get<bool>());
  }
}

// These two come last: a signal stays. It is there from the beginning, so that every start makes one step.
TEST_F(Resume, ARunThatIsAskedToStopSavesAndLeaves) {
  run_on(2, "uncut", {});
  watch_stop_signal();
  std::raise(SIGUSR1);
  std::raise(SIGUSR1);
  for (std::int64_t step = 1; step <= 6; ++step) {
    spawn_ranks(2, [&](Communicator& world) {
      try {
        run("stopped", {"checkpoint.resume=auto", "checkpoint.every=none", "checkpoint.keep=1"}, world);
        ADD_FAILURE() << "went on after step " << step;
      } catch (const EarlyEnd& end) {
        EXPECT_EQ(end.code(), EarlyEnd::saved);
        EXPECT_THAT(end.what(), HasSubstr(fmt::format("step {} of 6 is saved in {}", step, cell("stopped").string())));
      }
    });
  }
  run_on(2, "stopped", {"checkpoint.resume=auto", "checkpoint.every=none", "checkpoint.keep=1"});
  expect_same("uncut", "stopped", kAdapter);
  EXPECT_EQ(list_checkpoints(cell("stopped") / "checkpoints").size(), 2u) << "the last, and the one resumed from";
}

TEST_F(Resume, ASignalBetweenCellsLeavesFinishedOnesAlone) {
  const std::vector<std::string> study = {"study.seed=[1,2]", "training.method=none", "checkpoint.resume=auto"};
  watch_stop_signal();
  std::raise(SIGUSR1);
  EXPECT_THROW(run("study", study, *self_), EarlyEnd);
  const fs::path first = folder_ / "study/cells/seed=1/cell.json";
  ASSERT_TRUE(fs::exists(first));
  EXPECT_FALSE(fs::exists(folder_ / "study/summary.json"));
  const auto written = fs::last_write_time(first);
  run("study", study, *self_);
  EXPECT_EQ(fs::last_write_time(first), written);
  EXPECT_EQ(json::parse(read_file(folder_ / "study/summary.json"))["cells"].size(), 2u);
  EXPECT_THAT(input_error_of([&] {
                run("study",
                    {"study.seed=[1,2]", "training.method=none", "checkpoint.resume=auto", "training.epochs=5"},
                    *self_);
              }),
              HasSubstr("found other values of training.epochs"));
}

}  // namespace
}  // namespace entune::test
