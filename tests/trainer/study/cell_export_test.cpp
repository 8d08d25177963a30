// From a finished run to files that others read, and from an adapter to a run that goes on from it.
#include "trainer/study/cell_export.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "data/corpus.h"
#include "data/tokens/tokenizer_export.h"
#include "tests/data/tokens/transformers_chats.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "tests/trainer/study/tiny_model.h"
#include "trainer/study/chat_family.h"
#include "trainer/study/study.h"
#include "trainer/study/trained_cell.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/model_files.h"

namespace entune::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class CellExport : public testing::Test {
 protected:
  CellExport() {
    write_tiny_model(model());
    std::vector<Example> examples;
    for (int i = 0; i < 24; ++i) {
      Example example{
          .id = fmt::format("s{}", i), .text = fmt::format("Ida {} writes", i), .entities = {}, .group = {}};
      example.group = fmt::format("t{}", i % 8);
      example.entities.push_back({0, 3, "PERSON"});
      examples.push_back(example);
    }
    write_jsonl(folder_ / "corpus.jsonl", examples);
  }

  std::filesystem::path model() const { return folder_ / "model"; }
  std::filesystem::path run() const { return folder_ / "run"; }
  std::filesystem::path cell() const { return run() / "cells/tiny"; }

  /// A learning rate at which the adapter changes the logits, in 12 steps.
  StudyOptions recipe(std::vector<std::string> overrides, bool overwrite = false) const {
    write_file(folder_ / "recipe.yaml",
               fmt::format("name: tiny\noutput: {}\nmodel: {{path: {}, chat: chatml, dtype: float32}}\n"
                           "data: {{train: {}, split: {{by: template_id, train: 12, validation: none, test: 6}}}}\n"
                           "labels:\n  PERSON: name of a person\ntask: {{prompt: minimal}}\n"
                           "training:\n  lora: {{rank: 2, alpha: 4}}\n  epochs: 4\n  global_batch: 4\n"
                           "  evaluate_every: none\n  optimizer: {{lr: 0.3}}\n  schedule: {{warmup_steps: 0}}\n"
                           "generation: {{max_new_tokens: 6, write_predictions: true}}\n"
                           "evaluation: {{baseline: none}}\n",
                           run().string(), model().string(), (folder_ / "corpus.jsonl").string()));
    return {.recipe = folder_ / "recipe.yaml", .overrides = std::move(overrides), .overwrite = overwrite};
  }
  void train(std::vector<std::string> overrides = {}) const { run_study(recipe(std::move(overrides)), *self_); }

  /// The answers of a run whose overrides are these, on the same split.
  std::string answers(std::vector<std::string> overrides) const {
    const std::filesystem::path output = folder_ / "other-run";
    overrides.push_back("output=" + output.string());
    run_study(recipe(std::move(overrides), true), *self_);
    return read_file(output / "cells/tiny/predictions/test.jsonl");
  }
  std::string answers() const { return read_file(cell() / "predictions/test.jsonl"); }

  ExportOptions to(ExportForm form, std::vector<std::string> overrides = {}) const {
    return {.run = run(), .cell = "", .overrides = std::move(overrides), .form = form, .output = folder_ / "out"};
  }
  std::string refusal(const ExportOptions& options) const {
    return input_error_of([&] { export_cell(options, *self_); });
  }

  struct Published {
    std::string family;
    std::string tokenizer;  ///< of tests/data/tokens/fixtures
    std::string model_type;
  };
  void write_published(const Published& published) const;

  std::set<std::string> names_in(const std::filesystem::path& directory) const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) names.insert(entry.path().filename());
    return names;
  }

  /// All tensors of a Hugging Face directory, in float32.
  static std::map<std::string, at::Tensor> tensors_of(const std::filesystem::path& directory) {
    std::map<std::string, at::Tensor> tensors;
    const ModelFiles files(directory);
    for (const auto& [name, reader] : files.tensors()) {
      tensors[name] = at::empty(reader->header().tensors.at(name).shape);
      reader->read(name, {}, tensors[name]);
    }
    return tensors;
  }

  TemporaryDirectory folder_;
  std::unique_ptr<Communicator> self_ = make_self_communicator();
};

TEST_F(CellExport, ThePeftFormIsTheRunsAdapterAndNeedsNoModel) {
  train();
  std::filesystem::remove_all(model());
  for (const int ranks : {1, 2}) {
    ExportOptions options = to(ExportForm::peft);
    options.output = folder_ / fmt::format("adapter-{}", ranks);
    spawn_ranks(ranks, [&](Communicator& world) { EXPECT_FALSE(export_cell(options, world).has_value()); });
    EXPECT_EQ(names_in(options.output), (std::set<std::string>{"adapter_config.json", "adapter_model.safetensors",
                                                               "tokenizer.json", "tokenizer_config.json"}));
    for (const std::string& name : names_in(options.output))
      EXPECT_EQ(read_file(options.output / name), read_file(cell() / "adapter" / name)) << name;
  }
  EXPECT_EQ(names_in(folder_.path()),
            (std::set<std::string>{"adapter-1", "adapter-2", "corpus.jsonl", "recipe.yaml", "run"}));
}

TEST_F(CellExport, TheMergedFormAnswersAsTheAdapterDoes) {
  train();
  const std::map<std::string, at::Tensor> base = tensors_of(model());
  for (const auto& [ranks, tensor] : {std::pair{1, 1}, std::pair{2, 2}, std::pair{2, 1}}) {
    ExportOptions options = to(ExportForm::merged, {fmt::format("parallel.tensor={}", tensor)});
    options.output = folder_ / fmt::format("merged-{}-{}", ranks, tensor);
    spawn_ranks(ranks, [&](Communicator& world) {
      const std::optional<MergeDifference> difference = export_cell(options, world);
      ASSERT_TRUE(difference.has_value());
      if (world.rank() != 0) return;
      EXPECT_LT(difference->largest, 1e-4);
      EXPECT_GT(difference->largest_logit, 0.01);
      EXPECT_EQ(difference->num_positions, 64);
      EXPECT_EQ(difference->num_same_choice, 64);
    });
    EXPECT_EQ(names_in(options.output),
              (std::set<std::string>{"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                                     "model.safetensors"}));
    const std::map<std::string, at::Tensor> merged = tensors_of(options.output);
    EXPECT_EQ(merged.size(), base.size());
    EXPECT_GT((merged.at("model.layers.0.mlp.up_proj.weight") - base.at("model.layers.0.mlp.up_proj.weight"))
                  .abs()
                  .max()
                  .item<double>(),
              1e-3);
    EXPECT_TRUE(at::equal(merged.at("model.norm.weight"), base.at("model.norm.weight")));
    EXPECT_EQ(answers({"training.method=none", "model.path=" + options.output.string()}), answers());
  }
  EXPECT_NE(answers({"training.method=none"}), answers()) << "the adapter changes nothing: nothing to tell apart";
}

TEST_F(CellExport, ADifferenceIsFoundInWhatWasWritten) {
  train();
  // In bfloat16 the merged weights are rounded once more than base and adapter apart.
  const std::optional<MergeDifference> rounded = export_cell(to(ExportForm::merged, {"model.dtype=bfloat16"}), *self_);
  EXPECT_GT(rounded->largest, 1e-5);
  EXPECT_LT(rounded->largest, 0.1 * rounded->largest_logit);
  EXPECT_EQ(json::parse(read_file(folder_ / "out" / "config.json"))["torch_dtype"], "bfloat16");
  EXPECT_EQ(describe({.largest = 0.00123, .largest_logit = 31.52, .num_positions = 64, .num_same_choice = 63}),
            "largest logit difference 0.00123 (logits up to 31.5), same first choice at 63 of 64 positions");
}

TEST_F(CellExport, AFullFineTuningIsExportedInTheDtypeAskedFor) {
  train({"training.method=full", "export=hf", "training.optimizer.lr=1e-3"});
  const std::map<std::string, at::Tensor> trained = tensors_of(cell() / "model");
  for (const std::string dtype : {"float32", "bfloat16"}) {
    for (const int tensor : {1, 2}) {
      ExportOptions options = to(ExportForm::hf, {"model.dtype=" + dtype, fmt::format("parallel.tensor={}", tensor)});
      options.output = folder_ / fmt::format("{}-{}", dtype, tensor);
      spawn_ranks(tensor, [&](Communicator& world) { EXPECT_FALSE(export_cell(options, world).has_value()); });
      for (const auto& [name, value] : tensors_of(options.output)) {
        const at::Tensor expected =
            dtype == "float32" ? trained.at(name) : trained.at(name).to(at::kBFloat16).to(at::kFloat);
        EXPECT_TRUE(at::equal(value, expected)) << name;
      }
      EXPECT_TRUE(std::filesystem::exists(options.output / "tokenizer.json"));
    }
  }
}

/// Puts a model of this family in model(), as published: with files that say otherwise than the training.
void CellExport::write_published(const Published& published) const {
  std::filesystem::remove_all(model());
  const std::filesystem::path fixture =
      std::filesystem::path(ENTUNE_SOURCE_DIR) / "tests/data/tokens/fixtures" / published.tokenizer;
  write_tiny_weights(model(), published.model_type, load_tokenizer(fixture)->vocab_size());
  std::filesystem::copy(fixture, model(), std::filesystem::copy_options::recursive);
  write_file(model() / "tokenizer_config.json",
             json{{"tokenizer_class", "LlamaTokenizer"}, {"legacy", false}, {"chat_template", "{{ 'wrong' }}"}}.dump());
  write_file(model() / "chat_template.jinja", "{{ 'wrong' }}");
}

TEST_F(CellExport, EveryFormComesWithTheTokenizerAndTheChatOfTheTraining) {
  for (const Published& published :
       {Published{"mistral", "llama", "mistral"}, Published{"llama3", "llama3", "llama"}}) {
    write_published(published);
    const ExportedTokenizer expected = export_tokenizer(model(), published.family);
    const auto expect_files = [&](const std::filesystem::path& directory) {
      for (const auto& [name, content] : expected.files)
        EXPECT_EQ(read_file(directory / name), content) << directory << " " << name;
      EXPECT_FALSE(std::filesystem::exists(directory / "chat_template.jinja")) << directory;
    };
    const std::string chat = "model.chat=" + published.family;
    run_study(recipe({chat, "export=merged"}, true), *self_);
    expect_files(cell() / "adapter");
    expect_files(cell() / "model");
    for (const ExportForm form : {ExportForm::peft, ExportForm::merged}) {
      std::filesystem::remove_all(folder_ / "out");
      export_cell(to(form), *self_);
      expect_files(folder_ / "out");
    }
    run_study(recipe({chat, "training.method=full", "export=hf"}, true), *self_);
    expect_files(cell() / "model");
    std::filesystem::remove_all(folder_ / "out");
    export_cell(to(ExportForm::hf), *self_);
    expect_files(folder_ / "out");
    const auto tokenizer = load_tokenizer(folder_ / "out");
    const LlamaConfig config = read_llama_config(folder_ / "out");
    EXPECT_EQ(find_chat_family(folder_ / "out", config, *tokenizer), published.family);
    for (const TokenId id : make_chat_encoder(published.family, *tokenizer)->stop_ids())
      EXPECT_THAT(config.eos_token_ids, testing::Contains(id));
  }
}

/// transformers on what runs leave, for every family: the ids of the training, for texts and for conversations.
TEST_F(CellExport, TransformersGivesTheIdsOfTheTraining) {
  const char* python = python_with("transformers");
  if (python == nullptr) GTEST_SKIP() << "missing: ENTUNE_PYTHON, a Python that can import transformers";
  const std::vector<Published> all = {{"mistral", "llama", "mistral"}, {"mistral", "mistral_v3", "mistral"},
                                      {"llama2", "llama", "llama"},    {"vicuna", "llama", "llama"},
                                      {"yi", "yi", "llama"},           {"smollm2", "smollm", "llama"},
                                      {"chatml", "qwen2", "qwen3"},    {"llama3", "llama3", "llama"},
                                      {"llama3", "llama31", "llama"},  {"qwen", "qwen2", "qwen2"},
                                      {"qwen", "qwen3", "qwen3"}};
  std::vector<ExportedChat> chats;
  for (const Published& published : all) {
    write_published(published);
    const std::string chat = "model.chat=" + published.family;
    const std::shared_ptr<const Tokenizer> tokenizer = load_tokenizer(model());
    const std::shared_ptr<const ChatEncoder> encoder = make_chat_encoder(published.family, *tokenizer);
    const auto keep = [&](const std::string& what) {
      const std::string name = fmt::format("{}-{}-{}", published.family, published.tokenizer, what);
      std::filesystem::rename(cell() / (what == "adapter" ? "adapter" : "model"), folder_ / name);
      chats.push_back({name, folder_ / name, tokenizer, encoder, published.model_type == "qwen2" && what != "adapter"});
    };
    run_study(recipe({chat, "export=merged", "training.epochs=1"}, true), *self_);
    keep("merged");
    keep("adapter");
    run_study(recipe({chat, "training.method=full", "export=hf", "training.epochs=1"}, true), *self_);
    keep("hf");
  }
  expect_same_chats(python, ENTUNE_SOURCE_DIR, chats, 25, 2);
}

TEST_F(CellExport, WhatDoesNotFitIsRefusedBeforeAnythingIsRead) {
  train();
  std::filesystem::remove(model() / "model.safetensors");
  EXPECT_EQ(refusal(to(ExportForm::hf)),
            fmt::format("{}: cell tiny: expected a full fine-tuning for --to hf, found training.method: lora; give "
                        "--to peft, or --to merged",
                        run().string()));
  write_file(folder_ / "out", "");
  EXPECT_THAT(refusal(to(ExportForm::merged)), HasSubstr("expected a new or empty directory"));
  std::filesystem::remove(folder_ / "out");
  std::filesystem::create_directory(folder_ / "out");
  write_file(folder_ / "out" / "a", "kept");
  EXPECT_THAT(refusal(to(ExportForm::peft)), HasSubstr("expected a new or empty directory"));
  EXPECT_EQ(read_file(folder_ / "out" / "a"), "kept");
  std::filesystem::remove_all(folder_ / "out");

  ExportOptions unknown = to(ExportForm::peft);
  unknown.cell = "nope";
  EXPECT_THAT(refusal(unknown), HasSubstr("(tiny) or to give its number in the run's recipe, from 0; found 'nope'"));
  EXPECT_THAT(refusal(to(ExportForm::merged, {"parallel.tensor=3"})), HasSubstr("parallel.tensor = 3"));
  EXPECT_THAT(refusal(to(ExportForm::merged)), HasSubstr("expected model.safetensors"));
  std::filesystem::remove_all(cell() / "adapter");
  EXPECT_THAT(refusal(to(ExportForm::peft)), HasSubstr("train with `export` other than none"));
  EXPECT_EQ(names_in(folder_.path()), (std::set<std::string>{"corpus.jsonl", "model", "recipe.yaml", "run"}));
}

TEST_F(CellExport, OtherTrainingsHaveOtherForms) {
  train({"training.method=none"});
  for (const ExportForm form : {ExportForm::hf, ExportForm::peft, ExportForm::merged})
    EXPECT_THAT(refusal(to(form)), HasSubstr("expected weights that were trained, found training.method: none"));
  std::filesystem::remove_all(run());
  train({"training.method=full", "export=hf"});
  for (const ExportForm form : {ExportForm::peft, ExportForm::merged})
    EXPECT_THAT(refusal(to(form)), HasSubstr("expected an adapter to export, found training.method: full"));
}

TEST_F(CellExport, AtTheEndOfARunTheMergedModelStandsBesideTheAdapter) {
  for (const int tensor : {1, 2}) {
    const StudyOptions options = recipe({"export=merged", fmt::format("parallel.tensor={}", tensor)}, true);
    spawn_ranks(2, [&](Communicator& world) { run_study(options, world); });
    EXPECT_TRUE(std::filesystem::exists(cell() / "adapter/adapter_model.safetensors"));
    EXPECT_TRUE(std::filesystem::exists(cell() / "model/model.safetensors"));
    for (const std::string& name : names_in(cell())) EXPECT_NE(name.front(), '.') << name;
    const json merged = json::parse(read_file(cell() / "cell.json"))["merged"];
    EXPECT_LT(merged["largest_logit_difference"].get<double>(), 1e-4);
    EXPECT_EQ(merged["positions"], 64);
    EXPECT_EQ(merged["same_choice"], 64);
    EXPECT_EQ(answers({"training.method=none", "model.path=" + (cell() / "model").string()}), answers());
    // What answers later is what was scored: the adapter on its base.
    const TrainedCell loaded = load_trained_cell(run(), "", {"parallel.tensor=1"}, *self_);
    EXPECT_EQ(loaded.loaded.recipe.model.path, model().string());
    EXPECT_EQ(loaded.loaded.recipe.model.adapter, (cell() / "adapter").string());
    EXPECT_TRUE(loaded.model->options().lora.has_value());
  }
}

TEST_F(CellExport, AnAdapterAnswersAsItIs) {
  train();
  const std::string adapter = "model.adapter=" + (cell() / "adapter").string();
  // Its rank and targets are its own: nothing is trained.
  EXPECT_EQ(answers({"training.method=none", adapter, "training.lora.rank=7"}), answers());
  const StudyOptions options =
      recipe({"training.method=none", adapter, "parallel.tensor=2", "output=" + (folder_ / "on-two").string()});
  spawn_ranks(2, [&](Communicator& world) { run_study(options, world); });
  EXPECT_EQ(read_file(folder_ / "on-two/cells/tiny/predictions/test.jsonl"), answers());

  // Such a cell has nothing of its own but can be merged.
  ExportOptions of_given = to(ExportForm::peft);
  of_given.run = folder_ / "other-run";
  EXPECT_THAT(refusal(of_given), HasSubstr("found the adapter that it was given; give --to merged"));
  of_given.form = ExportForm::merged;
  EXPECT_LT(export_cell(of_given, *self_)->largest, 1e-4);
  EXPECT_EQ(answers({"training.method=none", "model.path=" + (folder_ / "out").string()}), answers());
}

TEST_F(CellExport, TrainingGoesOnFromAnAdapter) {
  train();
  const std::string adapter = "model.adapter=" + (cell() / "adapter").string();
  const std::vector<StudyCell> cells = expand_study(recipe({}).recipe, {adapter});
  const Recipe& going_on = cells.front().loaded.recipe;
  const TrainedCell before = load_trained_cell(run(), "", {}, *self_);
  const CellSetup setup = set_up_cell(going_on, 1);
  const std::unique_ptr<DeviceMesh> mesh = make_mesh(going_on, *self_);
  const std::unique_ptr<DecoderModel> start = load_model(going_on, setup, *mesh, false);
  ASSERT_EQ(start->parameters().size(), before.model->parameters().size());
  for (std::size_t i = 0; i < start->parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(start->parameters()[i].value, before.model->parameters()[i].value))
        << start->parameters()[i].name;
    EXPECT_EQ(start->parameters()[i].value.requires_grad(), start->parameters()[i].is_adapter);
  }

  // The first step's loss is that of the adapter, not of the base; what is trained and left is another adapter.
  const auto first_loss = [&](const std::filesystem::path& output) {
    return json::parse(read_file(output / "cells/tiny/cell.json"))["train"]["losses"][0]["loss"].get<double>();
  };
  const std::string output = (folder_ / "second").string();
  train({adapter, "output=" + output});
  EXPECT_LT(first_loss(output), first_loss(run()) - 0.05);
  EXPECT_NE(read_file(folder_ / "second/cells/tiny/adapter/adapter_model.safetensors"),
            read_file(cell() / "adapter/adapter_model.safetensors"));

  // The second run answers without the adapter it began with.
  const std::filesystem::path second_adapter = folder_ / "second/cells/tiny/adapter";
  std::filesystem::remove_all(cell());
  EXPECT_EQ(load_trained_cell(output, "", {}, *self_).loaded.recipe.model.adapter, second_adapter.string());
}

TEST_F(CellExport, AnAdapterThatDoesNotFitIsRefusedBeforeTheModelIsRead) {
  train();
  std::filesystem::remove(model() / "model.safetensors");
  const std::string adapter = "model.adapter=" + (cell() / "adapter").string();
  const auto error = [&](std::vector<std::string> overrides) {
    overrides.insert(overrides.end(), {adapter, "output=" + (folder_ / "second").string()});
    return input_error_of([&] { run_study(recipe(std::move(overrides)), *self_); });
  };
  EXPECT_THAT(error({"training.lora.rank=3"}), HasSubstr("adapter_config.json: expected rank 3, alpha 4, targets"));
  EXPECT_THAT(error({"training.lora.alpha=8"}), HasSubstr("expected rank 2, alpha 8"));
  EXPECT_THAT(error({"training.lora.targets=[q_proj]"}), HasSubstr("targets q_proj, found rank 2, alpha 4"));
  EXPECT_THAT(error({}), HasSubstr("expected model.safetensors"));
  const std::vector<StudyCell> cells = expand_study(recipe({}).recipe, {adapter, "training.lora.rank=3"});
  EXPECT_THAT(input_error_of([&] { set_up_cell(cells.front().loaded.recipe, 1); }), HasSubstr("expected rank 3"));
  const std::string tensors = read_file(cell() / "adapter/adapter_model.safetensors");
  write_file(cell() / "adapter/adapter_model.safetensors", tensors.substr(0, tensors.size() - 4));
  EXPECT_THAT(error({}), HasSubstr("adapter_model.safetensors"));
  EXPECT_THAT(error({"training.method=none"}), HasSubstr("adapter_model.safetensors"));
}

}  // namespace
}  // namespace entune::test
