#include "trainer/study/study.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "data/corpus.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "tests/trainer/model/small_models.h"
#include "tests/trainer/study/tiny_model.h"
#include "trainer/evaluate/evaluator.h"
#include "trainer/loop/best_weights.h"
#include "trainer/loop/trainer.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_training.h"
#include "trainer/study/trained_cell.h"

namespace entune::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Stands in every text and nowhere else: where it turns up, text has leaked.
constexpr const char* kMarker = "Zzqx";

/// Ten templates; those from `first_with_age` on name an age.
std::vector<Example> corpus(int first_with_age = 9) {
  std::vector<Example> examples;
  for (int i = 0; i < 40; ++i) {
    Example example{.id = fmt::format("s{}", i), .text = {}, .entities = {}, .group = fmt::format("t{}", i % 10)};
    example.text = fmt::format("{} {} is {} years", kMarker, i, 20 + i);
    example.entities.push_back({0, 4, "PERSON"});
    const auto at = static_cast<std::int64_t>(example.text.find(" is ") + 4);
    if (i % 10 >= first_with_age) {
      example.entities.push_back({at, at + 2, "AGE"});
    }
    examples.push_back(example);
  }
  return examples;
}

class Study : public testing::Test {
 protected:
  Study() {
    write_tiny_model(model());
    write_jsonl(folder_ / "corpus.jsonl", corpus());
  }

  std::filesystem::path model() const { return folder_ / "model"; }
  std::filesystem::path run() const { return folder_ / "run"; }

  std::filesystem::path recipe(const std::string& more) const {
    const std::string text = fmt::format(
        "name: tiny\noutput: {}\nmodel: {{path: {}, chat: chatml, dtype: float32}}\n"
        "data: {{train: {}, split: {{by: template_id, train: 12, validation: 4, test: 8}}}}\n"
        "labels:\n  PERSON: name of a person\n  AGE: age of a person\n"
        "training:\n  method: lora\n  lora: {{rank: 2, alpha: 4}}\n  epochs: 1\n  global_batch: 4\n"
        "generation: {{max_new_tokens: 6}}\n",
        run().string(), model().string(), (folder_ / "corpus.jsonl").string());
    write_file(folder_ / "recipe.yaml", text + more);
    return folder_ / "recipe.yaml";
  }

  StudyOptions options(const std::string& study, std::vector<std::string> overrides = {}) const {
    return {.recipe = recipe(study), .overrides = std::move(overrides), .overwrite = false};
  }

  json summary() const { return json::parse(read_file(run() / "summary.json")); }

  TemporaryDirectory folder_;
  std::unique_ptr<Communicator> self_ = make_self_communicator();
};

const std::string kTwoFormats = "study:\n  task.format: [xml, json]\n";

TEST_F(Study, WritesSummaryReportAndCells) {
  run_study(options(kTwoFormats), *self_);
  const json all = summary();
  ASSERT_EQ(all["cells"].size(), 3u);
  EXPECT_EQ(all["cells"][0]["name"], "format=xml");
  EXPECT_EQ(all["cells"][1]["format"], "json");
  EXPECT_EQ(all["cells"][2]["name"], "patterns");
  for (const json& cell : {all["cells"][0], all["cells"][1]}) {
    EXPECT_EQ(cell["seed"], 1);
    EXPECT_EQ(cell["train"]["samples"], 12);
    EXPECT_GT(cell["train"]["seconds"], 0.0);
    EXPECT_GT(cell["train"]["samples_per_second"], 0.0);
    EXPECT_GT(cell["train"]["tokens"]["logical"], cell["train"]["tokens"]["executed"]);
    EXPECT_GT(cell["train"]["tokens"]["executed"], cell["train"]["tokens"]["supervised"]);
    EXPECT_EQ(cell["train"]["losses"].size(), 3u);
    EXPECT_EQ(cell["train"]["validation"].size(), 1u);
    EXPECT_EQ(cell["generate"]["texts"], 8);
    EXPECT_EQ(cell["cost"]["ranks"], 1);
    EXPECT_NEAR(cell["cost"]["hours"].get<double>() * 3600.0,
                cell["train"]["seconds"].get<double>() + cell["generate"]["seconds"].get<double>(), 1e-9);
    EXPECT_TRUE(cell["cost"]["gpu_hours"].is_null() && cell["cost"]["usd"].is_null()) << "no GPU worked";
    for (const std::string reading : {"raw", "repaired"}) {
      for (const std::string scheme : {"strict", "exact", "partial", "type"}) {
        const json& score = cell["scores"]["test"][reading][scheme];
        for (const std::string key : {"precision", "recall", "f1", "f1_low", "f1_high"})
          EXPECT_TRUE(score.contains(key)) << key;
      }
    }
    EXPECT_TRUE(cell["scores"]["test"]["per_label"].contains("AGE"));
    EXPECT_TRUE(cell["scores"]["test"]["health"].is_object());
  }
  ASSERT_FALSE(all["comparisons"].empty());
  for (const std::string key : {"a", "b", "metric", "difference", "p_value", "p_holm"})
    EXPECT_TRUE(all["comparisons"][0].contains(key)) << key;
  EXPECT_TRUE(std::filesystem::exists(run() / "report.html"));
  EXPECT_TRUE(std::filesystem::exists(run() / "recipe.yaml"));
  EXPECT_TRUE(std::filesystem::exists(run() / "cells/format=xml/adapter/adapter_model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(run() / "cells/format=xml/steps.jsonl"));
}

TEST_F(Study, LeavesNoTextInItsFiles) {
  run_study(options(kTwoFormats), *self_);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_file(entry.path()).find(kMarker), std::string::npos) << entry.path();
  }
  EXPECT_FALSE(std::filesystem::exists(run() / "cells/format=xml/predictions"));
}

TEST_F(Study, WritesPredictionsWhereAsked) {
  run_study(options("", {"generation.write_predictions=true"}), *self_);
  const std::string lines = read_file(run() / "cells/tiny/predictions/test.jsonl");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 8);
}

TEST_F(Study, RefusesToOverwriteUnlessTold) {
  StudyOptions again = options("", {"training.method=none"});
  run_study(again, *self_);
  EXPECT_THAT(input_error_of([&] { run_study(again, *self_); }), HasSubstr("--overwrite"));
  again.overwrite = true;
  run_study(again, *self_);
  EXPECT_FALSE(summary()["cells"][0].contains("train"));
}

TEST_F(Study, LosesNothingThatItFindsInItsFolder) {
  // Of a run that was cut off, and of somebody who used the folder.
  const std::filesystem::path mine = run() / "cells" / "mine";
  std::filesystem::create_directories(mine);
  std::filesystem::permissions(run(), std::filesystem::perms(0755));
  write_file(mine / "steps.jsonl", "{}\n");
  const StudyOptions untrained = options("", {"training.method=none", "evaluation.baseline=none"});
  EXPECT_THAT(input_error_of([&] { run_study(untrained, *self_); }), HasSubstr("unfinished run in cells/mine"));
  EXPECT_TRUE(std::filesystem::exists(mine / "steps.jsonl"));
  std::filesystem::remove(mine / "steps.jsonl");
  run_study(untrained, *self_);  // an empty folder is nothing to lose
  EXPECT_EQ(std::filesystem::status(run()).permissions(), std::filesystem::perms(0755));
  write_file(folder_ / "file", "x");
  EXPECT_THAT(input_error_of([&] { run_study(options("", {"output=" + (folder_ / "file").string()}), *self_); }),
              HasSubstr("output: expected a folder"));
}

TEST_F(Study, RefusesWeightsThatCannotBeReadBeforeAnythingRuns) {
  std::filesystem::resize_file(model() / "model.safetensors", 5);
  EXPECT_THAT(input_error_of([&] { prepare_study(recipe(""), {}, 1); }), HasSubstr("model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(run()));
}

TEST_F(Study, ReportTakesSeedsForSeedsAndOtherSettingsForOthers) {
  const auto run_to = [&](const std::string& folder, std::vector<std::string> overrides) {
    overrides.insert(overrides.end(), {"evaluation.baseline=none", "output=" + (folder_ / folder).string()});
    run_study(options("study:\n  task.format: [xml]\n", overrides), *self_);
    return folder_ / folder;
  };
  const auto first = run_to("first", {}), seed = run_to("seed", {"seed=2"});
  const auto other = run_to("other", {"training.optimizer.lr=0.01"}), again = run_to("again", {});
  write_report({first, seed, other}, run());
  const json all = summary();
  ASSERT_EQ(all["cells"].size(), 3u);
  EXPECT_FALSE(all["cells"][1]["overrides"].contains("run")) << "another seed of the same setting";
  EXPECT_EQ(all["cells"][2]["overrides"]["run"], other.string());
  EXPECT_EQ(all["cells"][2]["name"], "tiny (2): format=xml");
  EXPECT_EQ(all["comparisons"].size(), 2u) << "two seeds against one, in two readings";

  for (const auto& twice : {first, again})
    EXPECT_THAT(input_error_of([&] { write_report({first, twice}, run()); }), HasSubstr("given twice"));
  EXPECT_THAT(input_error_of([&] { write_report({run()}, folder_ / "once more"); }), HasSubstr("expected a run"));
  write_file(other / "cells/format=xml/cell.json", "{");
  EXPECT_THAT(input_error_of([&] { write_report({other}, run()); }), HasSubstr("cell.json: expected"));
}

TEST_F(Study, CellsThatRanApartMergeIntoTheSameReport) {
  run_study(options(kTwoFormats), *self_);
  const json together = summary();
  for (const char* name : {"1", "format=json"}) EXPECT_EQ(find_stored_cell(run(), name, {}).name, "format=json");
  for (const char* name : {"", "2", "01"}) {
    EXPECT_THAT(input_error_of([&] { find_stored_cell(run(), name, {}); }), HasSubstr("(format=json, format=xml)"));
  }
  std::filesystem::remove_all(run());
  for (const int cell : {0, 1}) {
    StudyOptions one =
        options(kTwoFormats, {fmt::format("output={}", (folder_ / fmt::format("part{}", cell)).string())});
    one.only_cell = cell == 0 ? "0" : "format=json";
    run_study(one, *self_);
  }
  write_report({folder_ / "part0", folder_ / "part1"}, run());
  const json merged = summary();
  ASSERT_EQ(merged["cells"].size(), 3u);
  std::set<std::string> names;
  for (const json& cell : merged["cells"]) {
    names.insert(cell["name"]);
    for (const json& other : together["cells"]) {
      if (other["name"] != cell["name"]) continue;
      EXPECT_EQ(other["scores"], cell["scores"]) << cell["name"];
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"format=xml", "format=json", "patterns"}));
  EXPECT_EQ(merged["comparisons"].size(), together["comparisons"].size());
}

TEST_F(Study, RefusesACellThatIsNotThere) {
  StudyOptions outside = options(kTwoFormats);
  outside.only_cell = "2";
  EXPECT_THAT(input_error_of([&] { run_study(outside, *self_); }),
              HasSubstr("one of 0 (format=xml), 1 (format=json); found 2"));
}

TEST_F(Study, ATrainedCellAnswersAsItDidInTheRun) {
  run_study(options("", {"generation.write_predictions=true"}), *self_);
  TrainedCell cell = load_trained_cell(run(), "", {}, *self_);
  std::vector<StudyCell> cells;
  cells.push_back({"tiny", {}, cell.loaded});
  std::vector<CellSetup> setups;
  setups.push_back(set_up_cell(cell.loaded.recipe, 1));
  const std::vector<Example> test = prepare_data(cells, setups).front().test;
  const EvaluationResult again = evaluate(*cell.model, *cell.setup.task, test, *cell.mesh,
                                          {.generation = cell.loaded.recipe.generation.options,
                                           .budget = cell.budget,
                                           .windows = {},
                                           .keep_predictions = true,
                                           .progress = {}});
  std::istringstream lines(read_file(run() / "cells/tiny/predictions/test.jsonl"));
  for (const Prediction& prediction : again.predictions) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    const json stored = json::parse(line);
    EXPECT_EQ(stored["id"], prediction.id);
    EXPECT_EQ(stored["answer"],
              json::parse(json(prediction.answer.answers.front()).dump(-1, ' ', false, json::error_handler_t::replace)));
  }
  EXPECT_THAT(input_error_of([&] { load_trained_cell(run(), "nope", {}, *self_); }), HasSubstr("tiny"));
  EXPECT_THAT(input_error_of([&] { load_trained_cell(run(), "", {"model.path=moved/away"}, *self_); }),
              HasSubstr("found none at 'moved/away' (relative paths start at the current directory); start from where the "
                        "training ran, or give --set model.path=DIR"));
}

TEST_F(Study, TheModelAsItIsStandsBesideTheTrainedOne) {
  run_study(options("study:\n  training.method: [none, lora]\n"), *self_);
  const json all = summary();
  ASSERT_EQ(all["cells"].size(), 3u);
  EXPECT_EQ(all["cells"][0]["method"], "none");
  EXPECT_FALSE(all["cells"][0].contains("train"));
  EXPECT_EQ(all["cells"][1]["method"], "lora");
  EXPECT_EQ(all["cells"][1]["train"]["samples"], 12);
  for (const json& cell : all["cells"]) EXPECT_EQ(cell["scores"]["test"]["documents"], 8);
  EXPECT_EQ(all["comparisons"].size(), 3u * 2u) << "three pairs, in two readings";
  EXPECT_FALSE(std::filesystem::exists(run() / "cells/method=none/adapter"));
  EXPECT_TRUE(std::filesystem::exists(run() / "cells/method=lora/adapter"));
}

TEST_F(Study, ModelsOfSeveralSizesAreComparedInOneStudy) {
  write_tiny_model(folder_ / "deeper", 3);
  const std::string models = fmt::format("[{}, {}]", model().string(), (folder_ / "deeper").string());
  run_study(options("study:\n  model.path: " + models + "\n", {"evaluation.baseline=none"}), *self_);
  const json all = summary();
  ASSERT_EQ(all["cells"].size(), 2u);
  const json &small = all["cells"][0], &large = all["cells"][1];
  EXPECT_EQ(small["name"], "model=model");
  EXPECT_EQ(large["name"], "model=deeper");
  EXPECT_EQ(large["model"]["path"], (folder_ / "deeper").string());
  // Of hidden size 32, intermediate size 64, 2 of 4 heads of 8 for keys and values, 259 tied rows; LoRA of rank 2 on all seven.
  const int layer = 2 * 32 + 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64, adapters = 2 * (2 * 64 + 2 * 48 + 3 * 96);
  EXPECT_EQ(small["model"]["parameters"], 259 * 32 + 32 + 2 * layer);
  EXPECT_EQ(large["model"]["parameters"], 259 * 32 + 32 + 3 * layer);
  EXPECT_EQ(small["model"]["trained"], 2 * adapters);
  EXPECT_EQ(large["model"]["trained"], 3 * adapters);
  EXPECT_EQ(small["corpus"], large["corpus"]);
  EXPECT_NE(small["train"]["losses"][0]["loss"], large["train"]["losses"][0]["loss"]);
  EXPECT_EQ(small["train"]["tokens"], large["train"]["tokens"]) << "the same texts in the same order";
  EXPECT_FALSE(all["comparisons"].empty());
  EXPECT_THAT(read_file(run() / "report.html"), HasSubstr((folder_ / "deeper").string()));
}

TEST_F(Study, LabelsKeptOutOfTrainingAreScoredAndComparedTogether) {
  // Of ten templates five hold the label, so that some of them are on the test side.
  write_jsonl(folder_ / "corpus.jsonl", corpus(5));
  run_study(options("study:\n  training.loss.prompt_weight: [0.0, 0.5]\n",
                    {"data.held_out_labels=[AGE]", "data.split.seed=2", "data.split.train=6", "data.split.validation=2",
                     "task.label_list_variants=2", "evaluation.baseline=none"}),
            *self_);
  const json all = summary();
  for (const json& cell : all["cells"]) {
    const json& scores = cell["scores"]["test"];
    EXPECT_EQ(scores["held_out"]["labels"], json({"AGE"}));
    EXPECT_GT(scores["held_out"]["raw"]["support"], 0);
    EXPECT_EQ(scores["held_out"]["raw"], scores["per_label"]["AGE"]);
  }
  ASSERT_EQ(all["comparisons"].size(), 4u);
  EXPECT_EQ(all["comparisons"][2]["metric"], "held_out_f1");
}

TEST_F(Study, FullFineTuningLeavesAModelThatAnswers) {
  run_study(options("", {"training.method=full", "export=hf"}), *self_);
  EXPECT_TRUE(std::filesystem::exists(run() / "cells/tiny/model/model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(run() / "cells/tiny/model/tokenizer.json"));
  TrainedCell cell = load_trained_cell(run(), "tiny", {}, *self_);
  EXPECT_EQ(cell.loaded.recipe.model.path, (run() / "cells/tiny/model").string());
}

TEST_F(Study, TheBestWeightsAreTheOnesExported) {
  // A learning rate at which the loss goes up and down: the second of three steps is the best.
  run_study(options("", {"training.keep_best=loss", "training.evaluate_every=1",
                         "training.optimizer.lr=2", "training.schedule={warmup_steps: 0, decay: constant}"}),
            *self_);
  const json records = summary()["cells"][0]["train"]["validation"];
  ASSERT_EQ(records.size(), 3u);
  const auto loss_of = [](const json& record) { return record["loss"].get<double>(); };
  const auto best = std::min_element(records.begin(), records.end(),
                                     [&](const json& a, const json& b) { return loss_of(a) < loss_of(b); });
  ASSERT_LT(loss_of(*best), 0.995 * loss_of(records.back())) << "the last is the best: " << records;
  for (const json& record : records) {
    EXPECT_TRUE(record["strict_f1"].is_number());
    EXPECT_FALSE(record["best"].get<bool>() && record["step"] > (*best)["step"]);
  }
  EXPECT_TRUE((*best)["best"].get<bool>());

  TrainedCell cell = load_trained_cell(run(), "tiny", {}, *self_);
  const std::vector<StudyCell> cells = expand_study(recipe(""), {});
  std::vector<CellSetup> setups;
  setups.push_back(set_up_cell(cells[0].loaded.recipe, 1));
  const std::vector<CellData> data = prepare_data(cells, setups);
  std::vector<TrainingSample> samples;
  for (const Example& example : data[0].validation) samples.push_back({cell.setup.task->with_answer(example), 0});
  EXPECT_NEAR(mean_loss(*cell.model, samples, batch_options(cell.loaded.recipe), *cell.mesh), loss_of(*best), 1e-4);
}

TEST_F(Study, BetterScoresWinAndLowerLossesAmongEqualOnes) {
  const std::unique_ptr<DecoderModel> model = make_model(small_config(), lora_training(), *self_);
  BestWeights best(*model);
  at::Tensor parameter = model->trainable_parameters().front();
  const auto offer = [&](double score, double loss, double value) {
    const at::NoGradGuard no_grad;
    parameter.fill_(value);
    return best.offer(score, loss);
  };
  EXPECT_TRUE(offer(0.5, 1.0, 1.0));
  EXPECT_FALSE(offer(0.4, 0.1, 2.0));
  EXPECT_FALSE(offer(0.5, 1.5, 3.0));
  EXPECT_TRUE(offer(0.5, 0.9, 4.0));
  EXPECT_FALSE(offer(0.5, 0.9, 5.0));
  best.restore();
  EXPECT_EQ(parameter.flatten()[0].item<double>(), 4.0);
}

TEST_F(Study, RanksShareTheWorkAndAgree) {
  const auto strip = [](json all) {
    for (json& cell : all["cells"]) {
      cell.erase("generate");
      cell.erase("cost");
      cell["train"].erase("seconds");
      cell["train"].erase("samples_per_second");
      cell["train"].erase("peak_memory_bytes");
    }
    return all["cells"];
  };
  run_study(options("", {"evaluation.baseline=none", "training.prefix_sharing=false"}), *self_);
  const json alone = strip(summary());
  for (const std::string sharing : {"false", "true"}) {
    for (const auto& [ranks, tensor] : {std::pair{2, 1}, std::pair{2, 2}, std::pair{4, 2}}) {
      spawn_ranks(ranks, [&, tensor = tensor](Communicator& world) {
        StudyOptions shared{.recipe = folder_ / "recipe.yaml",
                            .overrides = {"evaluation.baseline=none", "training.prefix_sharing=" + sharing,
                                          fmt::format("parallel.tensor={}", tensor)},
                            .overwrite = true};
        run_study(shared, world);
      });
      const json together = strip(summary());
      EXPECT_EQ(alone[0]["scores"], together[0]["scores"]) << ranks << " ranks, sharing " << sharing;
      for (std::size_t i = 0; i < alone[0]["train"]["losses"].size(); ++i) {
        EXPECT_NEAR(alone[0]["train"]["losses"][i]["loss"], together[0]["train"]["losses"][i]["loss"], 1e-4)
            << ranks << " ranks, sharing " << sharing << ", step " << i;
      }
    }
  }
}

TEST_F(Study, RefusesALayoutBeforeAnythingIsLoaded) {
  std::filesystem::remove(model() / "model.safetensors");
  EXPECT_THAT(input_error_of([&] { run_study(options("", {"parallel.tensor=3"}), *self_); }),
              HasSubstr("parallel.tensor"));
}

class CellTexts : public Study {
 protected:
  CellData prepare(const std::string& more, const std::vector<std::string>& overrides) {
    const std::vector<StudyCell> cells = expand_study(recipe(more), overrides);
    std::vector<CellSetup> setups;
    for (const StudyCell& cell : cells) setups.push_back(set_up_cell(cell.loaded.recipe, 1));
    const std::vector<CellData> data = prepare_data(cells, setups);
    for (const CellData& each : data) {
      EXPECT_EQ(each.train, data.front().train);
      EXPECT_EQ(each.test, data.front().test);
    }
    return data.front();
  }
};

TEST_F(CellTexts, HeldOutLabelsStandOnTheTestSideAlone) {
  const CellData data = prepare("", {"data.held_out_labels=[AGE]"});
  const auto has_age = [](const Example& example) {
    return std::any_of(example.entities.begin(), example.entities.end(),
                       [](const Entity& entity) { return entity.label == "AGE"; });
  };
  EXPECT_EQ(data.train.size(), 12u);
  EXPECT_TRUE(std::none_of(data.train.begin(), data.train.end(), has_age));
  EXPECT_TRUE(std::none_of(data.validation.begin(), data.validation.end(), has_age));
  Recipe recipe;
  recipe.labels = {{"PERSON", ""}, {"AGE", ""}, {"ORDER", ""}};
  recipe.data.held_out_labels = {"AGE"};
  recipe.task.label_list_variants = 9;
  for (const LabelList& labels : label_list_variants(recipe)) {
    EXPECT_FALSE(labels.empty());
    for (const Label& label : labels) EXPECT_NE(label.name, "AGE");
  }
}

TEST_F(CellTexts, WhatOneFormatCannotCarryIsLeftOutOfAllCells) {
  std::vector<Example> examples = corpus();
  examples[0].text += " <PERSON>";                // xml cannot carry the tag; json could
  examples[1].entities.push_back({0, 3, "AGE"});  // ends inside a word: not for bio
  std::sort(examples[1].entities.begin(), examples[1].entities.end());
  write_jsonl(folder_ / "corpus.jsonl", examples);
  const CellData data = prepare("study:\n  task.format: [json, xml, bio]\n", {});
  std::int64_t left_out = 0;
  for (const auto& [reason, count] : data.left_out) left_out += count;
  EXPECT_EQ(left_out, 2);
  for (const auto* side : {&data.train, &data.validation, &data.test}) {
    for (const Example& example : *side) EXPECT_TRUE(example.id != "s0" && example.id != "s1");
  }
}

TEST_F(CellTexts, TooLongIsAnErrorOrACountedDrop) {
  std::vector<Example> examples = corpus();
  examples[0].text += std::string(2000, 'x');
  write_jsonl(folder_ / "corpus.jsonl", examples);
  const std::string refusal = input_error_of([&] { prepare(kTwoFormats, {"training.max_tokens=3000"}); });
  EXPECT_THAT(refusal, HasSubstr("sample s0"));
  EXPECT_THAT(refusal, HasSubstr("training.max_tokens"));
  EXPECT_EQ(refusal.find(kMarker), std::string::npos);
  EXPECT_EQ(prepare(kTwoFormats, {"training.max_tokens=3000", "training.on_too_long=skip"}).left_out.at("too long"), 1);
}

TEST_F(CellTexts, FilesOfTheirOwnShareNoTextAndNoTemplate) {
  std::vector<Example> test = corpus();
  test.resize(3);
  for (Example& example : test) {
    example.id += "-test";
    example.group += "-test";
    example.text += ", more";
  }
  const std::vector<std::string> separate = {fmt::format("data.test={}", (folder_ / "test.jsonl").string()),
                                             "data.split.test=none"};
  write_jsonl(folder_ / "test.jsonl", test);
  EXPECT_EQ(prepare("", separate).test.size(), 3u);

  const Example trained = prepare("", separate).train.front();
  test[1].group = trained.group;
  write_jsonl(folder_ / "test.jsonl", test);
  EXPECT_THAT(input_error_of([&] { prepare("", separate); }),
              HasSubstr("sample s1-test: its template_id stands in train and in test"));
  test[1].group = "other";
  test[1].text = trained.text;
  test[1].entities = trained.entities;
  write_jsonl(folder_ / "test.jsonl", test);
  const std::string refusal = input_error_of([&] { prepare("", separate); });
  EXPECT_THAT(refusal, HasSubstr("sample s1-test: its text stands in train and in test"));
  EXPECT_EQ(refusal.find(kMarker), std::string::npos);
}

TEST_F(CellTexts, ALabelOutsideTheListIsRefused) {
  std::vector<Example> examples = corpus();
  examples[5].entities[0].label = "ALIEN";
  write_jsonl(folder_ / "corpus.jsonl", examples);
  EXPECT_THAT(input_error_of([&] { prepare("", {}); }), HasSubstr("corpus.jsonl:6: sample s5: label ALIEN"));
}

TEST_F(CellTexts, TheMemberThatTheUserSplitsByMustBeThere) {
  const std::string refusal = input_error_of([&] { prepare("", {"data.split.by=nosuch"}); });
  EXPECT_THAT(refusal, HasSubstr("command line: data.split.by: expected a member of the samples, found 'nosuch' in none "
                                 "of the 40 of "));
  EXPECT_EQ(refusal.find(kMarker), std::string::npos);

  std::vector<Example> examples = corpus();
  for (Example& example : examples) example.group.clear();
  write_jsonl(folder_ / "corpus.jsonl", examples);
  EXPECT_THAT(input_error_of([&] { prepare("", {}); }), HasSubstr("recipe.yaml:4:"));
  std::string conll;
  for (int i = 0; i < 40; ++i) conll += fmt::format("Ada{} B-PERSON\nran O\n\n", i);
  write_file(folder_ / "corpus.conll", conll);
  const std::string train = fmt::format("data.train={}", (folder_ / "corpus.conll").string());
  EXPECT_THAT(input_error_of([&] { prepare("", {train}); }), HasSubstr("found 'template_id' in none of the 40 of "));
  // A finished run's recipe has every key written out.
  const std::vector<StudyCell> cells = expand_study(recipe(""), {});
  std::vector<CellSetup> setups;
  setups.push_back(set_up_cell(cells.front().loaded.recipe, 1));
  EXPECT_EQ(prepare_data(cells, setups, /*of_finished_run=*/true).front().train.size(), 12u);

  // Where nothing is split, no member is needed.
  std::vector<Example> test(examples.end() - 3, examples.end());
  examples.resize(37);
  write_jsonl(folder_ / "corpus.jsonl", examples);
  write_jsonl(folder_ / "test.jsonl", test);
  EXPECT_EQ(prepare("", {fmt::format("data.test={}", (folder_ / "test.jsonl").string()), "data.split.test=none",
                         "data.split.validation=none", "training.evaluate_every=none"})
                .split_note,
            "");
}

TEST_F(CellTexts, TextsWithoutTheMemberAreCounted) {
  EXPECT_EQ(prepare("", {}).split_note, "");
  std::vector<Example> examples = corpus();
  examples[3].group.clear();
  examples[4].group.clear();
  write_jsonl(folder_ / "corpus.jsonl", examples);
  EXPECT_EQ(prepare("", {}).split_note, "2 of 40 texts have no template_id: each of them is split by its text alone");

  // With the key left alone, no text needs it.
  for (Example& example : examples) example.group.clear();
  write_jsonl(folder_ / "corpus.jsonl", examples);
  std::string text = read_file(recipe(kTwoFormats));
  const std::string written = "by: template_id, ";
  text.erase(text.find(written), written.size());
  write_file(folder_ / "recipe.yaml", text);
  const std::vector<StudyCell> cells = expand_study(folder_ / "recipe.yaml", {});
  std::vector<CellSetup> setups;
  for (const StudyCell& cell : cells) setups.push_back(set_up_cell(cell.loaded.recipe, 1));
  EXPECT_THAT(split_notes(prepare_data(cells, setups)),
              testing::ElementsAre("40 of 40 texts have no template_id: each of them is split by its text alone"));
}

}  // namespace
}  // namespace entune::test
