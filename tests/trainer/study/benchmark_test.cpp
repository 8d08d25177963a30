#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "data/corpus.h"
#include "data/input_error.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "tests/trainer/study/tiny_model.h"
#include "trainer/study/cell_benchmark.h"
#include "trainer/study/cell_training.h"

namespace entune::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class BenchmarkTest : public testing::Test {
 protected:
  BenchmarkTest() {
    write_tiny_model(folder_ / "model");
    std::vector<Example> examples;
    for (int i = 0; i < 24; ++i) {
      Example example{.id = fmt::format("s{}", i), .text = {}, .entities = {}, .group = fmt::format("t{}", i % 8)};
      example.text = fmt::format("Anna {} is {} years", i, 20 + i);
      example.entities.push_back({0, 4, "PERSON"});
      examples.push_back(example);
    }
    write_jsonl(folder_ / "corpus.jsonl", examples);
    write_file(folder_ / "recipe.yaml",
               fmt::format("name: tiny\nmodel: {{path: {}, chat: chatml, dtype: float32}}\n"
                           "data: {{train: {}, split: {{by: template_id, train: 12, validation: none, test: 6}}}}\n"
                           "labels:\n  PERSON: name of a person\n"
                           "training:\n  lora: {{rank: 2, alpha: 4}}\n  epochs: 1\n  global_batch: 4\n"
                           "  evaluate_every: none\n",
                           (folder_ / "model").string(), (folder_ / "corpus.jsonl").string()));
  }

  json run(int num_ranks, const std::vector<std::string>& overrides, const BenchmarkOptions& options) {
    json of_first_rank;
    std::mutex mutex;
    spawn_ranks(num_ranks, [&](Communicator& world) {
      const std::vector<StudyCell> cells = expand_study(folder_ / "recipe.yaml", overrides);
      std::vector<CellSetup> setups;
      setups.push_back(set_up_cell(cells[0].loaded.recipe, world.size()));
      const std::vector<CellData> data = prepare_data(cells, setups);
      const json result = json::parse(benchmark_cell(cells[0], setups[0], data[0], world, options).dump());
      const std::lock_guard lock(mutex);
      if (world.rank() == 0) of_first_rank = result;
    });
    return of_first_rank;
  }

  TemporaryDirectory folder_;
};

TEST_F(BenchmarkTest, CountsTimesAndFlops) {
  std::vector<std::string> lines;
  const json result =
      run(1, {}, {.warmup = 1, .steps = 4, .dump = {}, .say = [&](const std::string& line) { lines.push_back(line); }});
  EXPECT_EQ(result["samples"], 16) << "5 steps over epochs of 3";
  EXPECT_EQ(result["losses"].size(), 5u);
  EXPECT_EQ(result["losses"][4]["step"], 5);
  EXPECT_GT(result["losses"][4]["loss"], 0.0);
  EXPECT_EQ(result["step_seconds"].size(), 4u);
  const double seconds = result["seconds"];
  EXPECT_NEAR(result["samples_per_second"].get<double>() * seconds, 16.0, 1e-9);
  for (const std::string kind : {"logical", "executed", "supervised"}) {
    EXPECT_NEAR(result["tokens_per_second"][kind].get<double>() * seconds, result["tokens"][kind].get<double>(), 1e-6);
  }
  EXPECT_GT(result["tokens"]["logical"], result["tokens"]["executed"]);
  EXPECT_EQ(result["rows_with_loss"], result["tokens"]["supervised"]);

  double phases = 0.0;
  for (const std::string phase : {"data", "forward", "backward", "communication", "optimizer"}) {
    EXPECT_GE(result["phases"][phase]["largest"].get<double>(), 0.0) << phase;
    phases += result["phases"][phase]["mean"].get<double>();
  }
  EXPECT_NEAR(phases, seconds, 0.01 * seconds + 1e-3);

  const json& weights = result["model"]["matmul_parameters"];
  const double products = weights["all_rows"].get<double>() * result["tokens"]["executed"].get<double>() +
                          weights["loss_rows"].get<double>() * result["rows_with_loss"].get<double>();
  EXPECT_NEAR(result["tflops"]["at_4n"].get<double>() * 1e12 * seconds / products, 4.0, 1e-9);
  EXPECT_NEAR(result["tflops"]["at_6n"].get<double>() * 1e12 * seconds / products, 6.0, 1e-9);
  EXPECT_NEAR(result["mfu"]["at_4n"].get<double>() * result["matmul"]["tflops"].get<double>(),
              result["tflops"]["at_4n"].get<double>(), 1e-12);
  ASSERT_EQ(result["peak_memory_bytes"].size(), 1u);
  EXPECT_GT(result["peak_memory_bytes"][0], 1 << 20);
  for (const std::string stage : {"model: ", "warm-up: 1 steps", "timed: 4 steps of 4 texts",
                                  "tokens/s: ", "matmul: ", "TFLOP/s", "time: data", "memory: "})
    EXPECT_THAT(lines, testing::Contains(testing::StartsWith(stage)));
}

TEST_F(BenchmarkTest, MatmulWeightsAreAllMatricesOnce) {
  const json result = run(1, {}, {.warmup = 0, .steps = 1});
  const CellSetup setup = set_up_cell(expand_study(folder_ / "recipe.yaml", {})[0].loaded.recipe, 1);
  const LlamaConfig& c = setup.config;
  const std::int64_t keys = c.num_kv_heads * c.head_dim * c.hidden_size,
                     queries = c.num_heads * c.head_dim * c.hidden_size;
  const std::int64_t after = queries + 3 * c.intermediate_size * c.hidden_size;  // o_proj and the MLP
  const json& weights = result["model"]["matmul_parameters"];
  EXPECT_EQ(weights["all_rows"], c.num_layers * (queries + 2 * keys) + (c.num_layers - 1) * after);
  EXPECT_EQ(weights["loss_rows"], after + c.vocab_size * c.hidden_size);
}

TEST_F(BenchmarkTest, SumsOverDataRanks) {
  const BenchmarkOptions options{.warmup = 1, .steps = 2};
  const json one = run(1, {"training.prefix_sharing=false"}, options);
  for (const char* tensor : {"parallel.tensor=1", "parallel.tensor=2"}) {
    const json two = run(2, {"training.prefix_sharing=false", tensor}, options);
    for (const std::string key : {"samples", "tokens", "rows_with_loss"})
      EXPECT_EQ(two[key], one[key]) << tensor << key;
    EXPECT_EQ(two["ranks"]["world"], 2);
    EXPECT_EQ(two["model"], one["model"]) << tensor;
    EXPECT_EQ(two["peak_memory_bytes"].size(), 2u);
    EXPECT_GT(two["phases"]["communication"]["mean"], 0.0) << tensor;
    for (std::size_t step = 0; step < 3; ++step) {
      const double loss = one["losses"][step]["loss"];
      EXPECT_NEAR(two["losses"][step]["loss"].get<double>(), loss, 1e-3 * loss) << tensor;
    }
  }
}

TEST_F(BenchmarkTest, LeavesLossesAsTrainingHasThem) {
  const json timed = run(1, {}, {.warmup = 1, .steps = 2});
  const auto self = make_self_communicator();
  const std::vector<StudyCell> cells = expand_study(folder_ / "recipe.yaml", {});
  std::vector<CellSetup> setups;
  setups.push_back(set_up_cell(cells[0].loaded.recipe, 1));
  const std::vector<CellData> data = prepare_data(cells, setups);
  DeviceMesh mesh(*self, 1, 1);
  const auto model = load_model(cells[0].loaded.recipe, setups[0], mesh, false);
  RunMetrics metrics(cells[0].loaded.recipe, *self, folder_ / "rank-0.prom", RunMetrics::Clock::now());
  const json trained = train_cell(cells[0], setups[0], data[0], setups[0].task->fit_budget(data[0].train), *model, mesh,
                                  folder_.path(), metrics);
  ASSERT_EQ(trained["losses"].size(), 3u);
  for (std::size_t step = 0; step < 3; ++step) {
    EXPECT_EQ(timed["losses"][step]["loss"], trained["losses"][step]["loss"]);
    EXPECT_EQ(timed["losses"][step]["learning_rate"], trained["losses"][step]["lr"]);
  }
}

TEST_F(BenchmarkTest, DumpsWhatAnotherProgramNeeds) {
  const std::filesystem::path dump = folder_ / "dump";
  const json result = run(2, {}, {.warmup = 1, .steps = 2, .dump = dump});
  std::ifstream file(dump / "samples.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const json settings = json::parse(line);
  EXPECT_EQ(settings["kind"], "settings");
  EXPECT_EQ(settings["model"], (folder_ / "model").string());
  EXPECT_EQ(settings["dtype"], "float32");
  EXPECT_EQ(settings["global_batch"], 4);
  ASSERT_EQ(settings["learning_rates"].size(), 3u);
  for (std::size_t step = 0; step < 3; ++step)
    EXPECT_EQ(settings["learning_rates"][step], result["losses"][step]["learning_rate"]);
  std::map<std::int64_t, int> samples_of_step;
  std::int64_t logical = 0, supervised = 0;
  while (std::getline(file, line)) {
    const json sample = json::parse(line);
    const std::int64_t step = sample["step"];
    ++samples_of_step[step];
    ASSERT_EQ(sample["ids"].size(), sample["weights"].size());
    EXPECT_EQ(sample["weights"].front(), 0.0);
    EXPECT_EQ(sample["weights"].back(), 1.0);
    if (step == 1) continue;  // not timed
    logical += static_cast<std::int64_t>(sample["ids"].size());
    for (const json& weight : sample["weights"]) supervised += weight == 1.0 ? 1 : 0;
  }
  EXPECT_THAT(samples_of_step, ElementsAre(Pair(1, 4), Pair(2, 4), Pair(3, 4)));
  EXPECT_EQ(result["tokens"]["logical"], logical);
  EXPECT_EQ(result["tokens"]["supervised"], supervised);
  EXPECT_TRUE(std::filesystem::exists(dump / "adapter/adapter_model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(dump / "model"));
}

TEST_F(BenchmarkTest, RandomModelsRunAndAreDumpedWhole) {
  const std::filesystem::path dump = folder_ / "dump";
  const json random =
      run(1, {"task.prompt=minimal", "training.global_batch=1", "model.init=random", "model.preset=smollm2-135m"},
          {.warmup = 0, .steps = 1, .dump = dump});
  EXPECT_EQ(random["model"]["init"], "random");
  EXPECT_GT(random["model"]["parameters"], 100'000'000);
  const json read_back =
      run(1,
          {"task.prompt=minimal", "training.global_batch=1", "model.path=" + (dump / "model").string(),
           "model.adapter=" + (dump / "adapter").string()},
          {.warmup = 0, .steps = 1});
  EXPECT_EQ(read_back["losses"][0]["loss"], random["losses"][0]["loss"]);
}

TEST_F(BenchmarkTest, RefusesWhatTrainsNothing) {
  try {
    run(1, {"training.method=none"}, {});
    FAIL() << "expected an InputError";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("training.method"));
  }
}

}  // namespace
}  // namespace entune::test
