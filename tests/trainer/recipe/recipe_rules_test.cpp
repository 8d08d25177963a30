// Rules between keys, studies, layouts, and the recipes that the repository ships.
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "data/synthesis/generator.h"
#include "tests/trainer/recipe/recipe_fixture.h"
#include "trainer/recipe/schema.h"
#include "trainer/weights/presets.h"

namespace entune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using RecipeRulesTest = RecipeTest;

TEST_F(RecipeRulesTest, MissingKeys) {
  EXPECT_EQ(error_of("data: {train: x.jsonl}\nlabels: {A: a}\n"),
            "r.yaml: model.path is missing: a Hugging Face directory");
  EXPECT_EQ(error_of("model: {path: m}\nlabels: {A: a}\n"),
            "r.yaml: data.train is missing: a path, or {path, reader, scheme}");
  EXPECT_EQ(error_of("model: {path: m}\ndata: {train: x.jsonl}\n"),
            "r.yaml: labels is missing: name: description, in prompt order");
}

TEST_F(RecipeRulesTest, KeysThatContradictEachOther) {
  const auto error = [&](const std::vector<std::string>& overrides) { return error_of(kMinimal, overrides); };
  EXPECT_THAT(error({"training.lora.dropout=0.1"}),
              StartsWith("command line: training.lora.dropout: dropout draws anew"));
  EXPECT_EQ(error({"training.lora.dropout=0.1", "training.prefix_sharing=false"}), "accepted");
  EXPECT_THAT(error({"training.method=full"}),
              StartsWith("r.yaml: export: a full fine-tuning has no adapter; set export: hf or none"));
  EXPECT_THAT(error({"training.method=full", "export=merged"}),
              StartsWith("command line: export: a full fine-tuning has no adapter; set export: hf or none"));
  EXPECT_EQ(error({"training.method=full", "export=hf"}), "accepted");
  EXPECT_EQ(error({"export=merged"}), "accepted");
  EXPECT_THAT(error({"export=hf"}),
              StartsWith("command line: export: hf is for a full fine-tuning; set export: adapter, merged or none"));
  EXPECT_EQ(error({"model.adapter=runs/a/adapter"}), "accepted");
  EXPECT_EQ(error({"model.adapter=runs/a/adapter", "training.method=none"}), "accepted");
  EXPECT_THAT(error({"model.adapter=runs/a/adapter", "training.method=full", "export=hf"}),
              StartsWith("command line: model.adapter: a full fine-tuning trains the model's own weights"));
  EXPECT_THAT(error({"model.adapter=runs/a/adapter", "model.init=random", "model.preset=yi-34b"}),
              StartsWith("command line: model.adapter: an adapter fits the weights that it was trained on"));
  EXPECT_THAT(error({"model.adapter=-x"}), StartsWith("command line: model.adapter: expected a path"));
  EXPECT_EQ(error({"training.method=none"}), "accepted");

  EXPECT_THAT(error({"model.init=random"}), StartsWith("r.yaml: model.preset: init: random needs a preset"));
  EXPECT_THAT(error({"model.preset=yi-34b"}),
              StartsWith("command line: model.preset: a pretrained model has the shape"));
  EXPECT_EQ(error({"model.init=random", "model.preset=yi-34b"}), "accepted");

  EXPECT_THAT(error({"data.split.validation=none"}),
              StartsWith("r.yaml: training.evaluate_every: evaluating during training needs"));
  EXPECT_EQ(error({"data.split.validation=none", "training.evaluate_every=none"}), "accepted");
  EXPECT_EQ(error({"data.split.validation=0", "training.method=none"}), "accepted");
  EXPECT_THAT(error({"data.split.test=none"}), StartsWith("r.yaml: evaluation.splits: there is no side 'test'"));
  EXPECT_EQ(error({"data.split.test=none", "data.test=t.jsonl"}), "accepted");
  EXPECT_EQ(error({"data.split.test=none", "evaluation.splits=[validation]"}), "accepted");
  EXPECT_EQ(
      error({"evaluation.splits=[]"}),
      "command line: evaluation.splits: expected at least one side to answer, found an empty list; name one, as in "
      "[test]");
  EXPECT_THAT(error({"data.test=t.jsonl", "data.split.test=3"}),
              StartsWith("command line: data.split.test: this side has a file of its own"));
  EXPECT_THAT(error({"data.validation=t.jsonl", "data.split.validation=0.5"}),
              StartsWith("command line: data.split.validation: this side has"));
  EXPECT_THAT(error({"data.train=none"}), StartsWith("command line: data.train: training needs a data set"));
  EXPECT_EQ(error({"data.train=none", "data.test=t.jsonl", "training.method=none"}), "accepted");
  EXPECT_THAT(error({"data.train=none", "data.test=t.jsonl", "training.method=none", "data.split.train=5"}),
              StartsWith("command line: data.split.train: there is no data.train to split"));
  EXPECT_THAT(error({"data.split.train=none"}), StartsWith("command line: data.split.train: training needs texts"));

  EXPECT_THAT(error({"data.max_skipped=3"}),
              StartsWith("command line: data.max_skipped: nothing is skipped with on_bad_sample: fail"));
  EXPECT_EQ(error({"data.max_skipped=3", "data.on_bad_sample=skip"}), "accepted");
  EXPECT_EQ(error({"data.held_out_labels=[PERSONS]"}),
            "command line: data.held_out_labels: 'PERSONS' is not in labels; did you mean 'PERSON'?");
  EXPECT_EQ(error({"data.held_out_labels=[EMAIL_ADDRESS]"}),
            "command line: data.held_out_labels: 'EMAIL_ADDRESS' is not in labels; there are PERSON");
  EXPECT_THAT(error({"data.held_out_labels=[PERSON]"}), HasSubstr("every label is held out"));
  EXPECT_THAT(error({"label_map={PER: PERSN}"}),
              StartsWith("command line: label_map: 'PERSN' is not in labels; did you mean 'PERSON'?"));
  EXPECT_EQ(error({"label_map={PER: PERSON, LOC: null}"}), "accepted");

  for (const char* name : {"a/b", "a b", "\"a\\nb\"", ".hidden", "-x", "é", ".."}) {
    EXPECT_THAT(error({fmt::format("name={}", name)}), StartsWith("command line: name: expected letters, digits"))
        << name;
  }
  EXPECT_THAT(error({"output=-x"}), StartsWith("command line: output: expected a path"));
  EXPECT_THAT(error({"data.train=x.csv"}), StartsWith("command line: data.train: the suffix '.csv' names no reader"));
  EXPECT_EQ(error({"data.train={path: x.csv, reader: conll, scheme: iob1}"}), "accepted");
  EXPECT_THAT(error({"data.train={path: x.jsonl, scheme: iob1}"}),
              StartsWith("command line: data.train: scheme is for CoNLL files"));
}

TEST_F(RecipeRulesTest, BothSidesFromFilesLeaveAllOfTrain) {
  const Recipe recipe = load(kMinimal, {"data.validation=v.jsonl", "data.test=t.jsonl"}).recipe;
  EXPECT_EQ(recipe.data.split.train.kind, SplitSize::Kind::rest);
  EXPECT_EQ(recipe.data.split.validation.kind, SplitSize::Kind::none);
  EXPECT_EQ(recipe.data.split.test.kind, SplitSize::Kind::none);
}

TEST_F(RecipeRulesTest, FilesMustExist) {
  const std::string model = (folder_ / "model").string();
  const std::string texts = (folder_ / "texts.jsonl").string();
  const std::vector<std::string> overrides = {"model.path=" + model, "data.train=" + texts};
  EXPECT_EQ(error_of(kMinimal, {}, {}),
            "r.yaml:1:15: model.path: expected a Hugging Face directory, found none at 'models/m' (relative paths "
            "start at the current "
            "directory); correct the path, or make one: `trainer import --gguf FILE --to DIR`");
  std::filesystem::create_directory(model);
  EXPECT_THAT(error_of(kMinimal, overrides, {}),
              StartsWith("command line: data.train: expected a data file, found none at"));
  std::ofstream(texts) << "";
  EXPECT_EQ(error_of(kMinimal, overrides, {}), "accepted");
  std::vector<std::string> with_adapter = overrides;
  with_adapter.push_back("model.adapter=" + model);
  EXPECT_THAT(error_of(kMinimal, with_adapter, {}),
              StartsWith("command line: model.adapter: expected a PEFT adapter directory (with adapter_config.json), "
                         "found none at"));
  std::ofstream(folder_ / "model" / "adapter_config.json") << "{}";
  EXPECT_EQ(error_of(kMinimal, with_adapter, {}), "accepted");
  EXPECT_THAT(error_of(std::string(kMinimal) + "evaluation: {splits: []}\n", {"data.test=" + model}, {}),
              HasSubstr("suffix ''"));
  try {
    load_recipe(folder_ / "absent.yaml", {});
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("absent.yaml: expected a recipe file, found none"));
  }
}

TEST_F(RecipeRulesTest, StudyCellsInOrder) {
  const std::string text = std::string(kMinimal) + "study:\n  task.format: [xml, json]\n  seed: [1, 2, 3]\n";
  write(text);
  const std::vector<StudyCell> cells = expand_study(file_, {"training.epochs=2"}, kNoFiles);
  std::vector<std::string> names;
  for (const StudyCell& cell : cells) names.push_back(cell.name);
  EXPECT_THAT(names, ElementsAre("format=xml seed=1", "format=xml seed=2", "format=xml seed=3", "format=json seed=1",
                                 "format=json seed=2", "format=json seed=3"));
  EXPECT_THAT(cells[4].overrides, ElementsAre("task.format=json", "seed=2"));
  EXPECT_EQ(cells[4].loaded.recipe.task.format, "json");
  EXPECT_EQ(cells[4].loaded.recipe.seed, 2u);
  EXPECT_EQ(cells[4].loaded.recipe.training.epochs, 2);
  EXPECT_EQ(cells[4].loaded.recipe.name, "r");
  EXPECT_THAT(cells[4].loaded.recipe.study, IsEmpty());
  const LoadedRecipe again = load(kMinimal, {"training.epochs=2", "task.format=json", "seed=2"});
  EXPECT_EQ(again.resolved_yaml, cells[4].loaded.resolved_yaml) << "a cell's overrides give the cell";
  for (const ResolvedKey& key : cells[4].loaded.keys) {
    if (key.key == "task.format") {
      EXPECT_EQ(shorten(key.origin), "r.yaml:6:22");
    }
  }
}

TEST_F(RecipeRulesTest, StudyCellNames) {
  EXPECT_THAT(cell_names(kMinimal), ElementsAre("r"));
  const std::string study = std::string(kMinimal) + "study: ";
  EXPECT_THAT(cell_names(study + "{seed: [4]}\n"), ElementsAre("seed=4"));
  EXPECT_THAT(cell_names(study + "{seed: [1], data.split.seed: [2, 3]}\n"),
              ElementsAre("seed=1 data.split.seed=2", "seed=1 data.split.seed=3"));
  EXPECT_THAT(cell_names(study + "{task.prompt: [explain, [{role: user, text: \"{text}\"}]], model.path: [a/b]}\n"),
              ElementsAre("prompt=explain model=b", "prompt=#2 model=b"));
  EXPECT_THAT(cell_names(study + "{model.path: [a/CodeLlama-34b-Instruct-hf, a/small, b/small, .., a/]}\n"),
              ElementsAre("model=CodeLlama-34b-Instruct-hf", "model=#2", "model=#3", "model=#4", "model=#5"));
}

TEST_F(RecipeRulesTest, StudyOnTheCommandLine) {
  const std::string text = std::string(kMinimal) + "study:\n  task.format: [xml, json]\n  seed: [1, 2]\n";
  EXPECT_THAT(cell_names(text, {"study=none"}), ElementsAre("r"));
  EXPECT_THAT(cell_names(text, {"study={}"}), ElementsAre("r"));
  EXPECT_THAT(cell_names(text, {"study.seed=7"}), ElementsAre("format=xml seed=7", "format=json seed=7"));
  EXPECT_THAT(cell_names(text, {"study.task.format=[bio]", "study.seed=[3]", "study.training.epochs=[1, 2]"}),
              ElementsAre("format=bio seed=3 epochs=1", "format=bio seed=3 epochs=2"));
  EXPECT_THAT(cell_names(text, {"study={seed: [5]}"}), ElementsAre("seed=5"));
  EXPECT_EQ(error_of(text, {"seed=3"}),
            "command line: seed: the study varies this key (at r.yaml:7:3), which would hide the value; give "
            "study.seed=[...], or "
            "study=none");
  EXPECT_THAT(error_of(text, {"study.task.fromat=[xml]"}), HasSubstr("did you mean 'task.format'?"));
  EXPECT_THAT(error_of(text, {"study.seed=[x]"}), StartsWith("command line: seed: expected an integer"));
  EXPECT_EQ(error_of(text, {"study.seed=[3]", "study.seed=[4]"}),
            "command line: key 'study.seed' a second time; keep one");
  EXPECT_THAT(cell_names(text, {"study=none", "study.seed=[3]"}), ElementsAre("seed=3"));
}

TEST_F(RecipeRulesTest, StudyAxesAreKeysWithValidValues) {
  const auto error = [&](const std::string& study) {
    return error_of(std::string(kMinimal) + "study:\n  " + study + "\n");
  };
  EXPECT_EQ(error("task.fromat: [xml]"), "r.yaml:6:3: study: unknown key 'task.fromat'; did you mean 'task.format'?");
  EXPECT_EQ(error("training.loss: [0.0]"),
            "r.yaml:6:3: study: 'training.loss' is a section; name one of its keys: prompt_weight");
  EXPECT_EQ(error("task.format: [xml, yml]"),
            "r.yaml:6:22: task.format: expected one of xml, json, json_values, bracket, bio, found 'yml'");
  EXPECT_THAT(error("task.format: [xml, json, xml]"),
              StartsWith("r.yaml:6:28: study: 'xml' stands in the list of task.format twice"));
  EXPECT_EQ(
      error("training.loss.prompt_weight: [0, 0.0]"),
      "r.yaml:6:36: study: '0.0' stands in the list of training.loss.prompt_weight twice (first as '0'); keep one");
  for (const char* twice :
       {"training.optimizer.lr: [1.0e-3, 0.001]", "seed: [1, +1]", "task.format: [xml, 'xml']",
        "training.lora.targets: [all, [q_proj, v_proj, k_proj, o_proj, gate_proj, up_proj, down_proj]]",
        "training.lora.targets: [[q_proj, v_proj], [v_proj, q_proj]]", "model.path: [models/m, ./models//m/]",
        "data.train: [a.jsonl, {path: ./a.jsonl}]", "data.split.test: [none, 0]", "data.split.test: [0.5, 5.0e-1]",
        "training.optimizer.betas: [[0.9, 0.95], [0.90, 0.950]]", "training.evaluate_every: [10, +10]",
        "evaluation.splits: [[test, train], [train, test]]",
        "task.prompt: [[{role: user, text: x}], [{role: 'user', text: x}]]"}) {
    EXPECT_THAT(error(twice), HasSubstr("twice")) << twice;
  }
  EXPECT_EQ(error("task.prompt: [[{role: user, text: x}], [{role: user, text: x y}]]"), "accepted");
  EXPECT_EQ(error("training.optimizer.lr: [1.0e-3, 1.0e-4]"), "accepted");
  EXPECT_THAT(error("seed: [1, 02]"), StartsWith("r.yaml:6:13: seed: '02' could be decimal or octal"));
  EXPECT_EQ(error("seed: 1"), "r.yaml:6:9: study: expected a list of values of seed, found '1'");
  EXPECT_EQ(error("seed: []"), "r.yaml:6:9: study: expected a list of values of seed, found a list of 0");
  for (const char* key : {"name", "output", "study"}) {
    EXPECT_EQ(error(fmt::format("{}: [a]", key)),
              fmt::format("r.yaml:6:3: study: '{}' belongs to the whole study and cannot vary", key));
  }
  EXPECT_THAT(error("task: {format: [xml]}"), HasSubstr("'task' is a section"));
  const std::string text = std::string(kMinimal) + "study: {training.method: [lora, full]}\n";
  EXPECT_EQ(
      study_error_of(text),
      "r.yaml: export: a full fine-tuning has no adapter; set export: hf or none (in the study's cell 1: method=full)");
  std::string many = "1";
  for (int i = 2; i <= 40; ++i) many += fmt::format(", {}", i);
  EXPECT_THAT(study_error_of(fmt::format("{0}study: {{seed: [{1}], training.epochs: [{1}]}}\n", kMinimal, many)),
              HasSubstr("study: expected at most 1000 cells"));
}

LlamaConfig smollm2_shape() {
  LlamaConfig config;
  config.num_heads = 9;
  config.num_kv_heads = 3;
  config.intermediate_size = 1536;
  config.max_position_embeddings = 8192;
  return config;
}

std::string layout_error(std::int64_t data, std::int64_t tensor, std::int64_t world_size,
                         std::int64_t max_tokens = 4096) {
  Recipe recipe;
  recipe.parallel = {.data = data, .tensor = tensor};
  recipe.training.max_tokens = max_tokens;
  try {
    validate_layout(recipe, smollm2_shape(), world_size);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(LayoutTest, MeshAndModelMustFit) {
  EXPECT_EQ(layout_error(0, 1, 1), "accepted");
  EXPECT_EQ(layout_error(0, 1, 5), "accepted");
  EXPECT_EQ(layout_error(0, 3, 6), "accepted");
  EXPECT_EQ(layout_error(2, 3, 6), "accepted");
  EXPECT_EQ(layout_error(0, 2, 2),
            "parallel.tensor = 2: expected a divisor of the model's 9 heads; this model can be divided by 1, 3");
  EXPECT_EQ(
      layout_error(0, 9, 9),
      "parallel.tensor = 9: expected a divisor of the model's 3 key/value heads; this model can be divided by 1, 3");
  EXPECT_EQ(
      layout_error(0, 3, 4),
      "parallel.tensor = 3: expected a divisor of the 4 ranks; start a multiple of 3 ranks, or change parallel.tensor");
  EXPECT_EQ(layout_error(2, 1, 4),
            "parallel.data = 2 times parallel.tensor = 1 makes 2 ranks, found 4; start 2 ranks (mpirun -np 2), or set "
            "parallel.data: auto");
  EXPECT_EQ(layout_error(0, 1, 1, 8193), "training.max_tokens = 8193: the model has 8192 positions; set at most that");
}

std::vector<std::filesystem::path> shipped_recipes() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::filesystem::path(ENTUNE_SOURCE_DIR) / "recipes")) {
    const bool is_policy = entry.path().parent_path().filename() == "deidentify";
    if (entry.path().extension() == ".yaml" && !is_policy) files.push_back(entry.path());
  }
  return files;
}

TEST(ShippedRecipesTest, AllLoad) {
  const auto files = shipped_recipes();
  EXPECT_GE(files.size(), 5u);
  for (const auto& file : files) {
    EXPECT_NO_THROW({
      for (const StudyCell& cell : expand_study(file, {}, kNoFiles)) EXPECT_FALSE(cell.name.empty());
    }) << file;
    EXPECT_EQ(load_recipe(file, {}, kNoFiles).recipe.name, file.stem()) << "runs/<name> should be found again";
  }
}

TEST(ShippedRecipesTest, LabelsAreThoseOfTheShippedCorpus) {
  int num_checked = 0;
  for (const auto& file : shipped_recipes()) {
    Recipe recipe = load_recipe(file, {}, kNoFiles).recipe;
    if (recipe.data.train->path != "data/samples/pii_en.jsonl") continue;
    LabelList expected = synthetic_labels();
    const bool times = file.filename() == "benchmark.yaml" || file.parent_path().filename() == "scaling";
    if (times) {  // describes them at length: a long prompt
      for (LabelList* labels : {&recipe.labels, &expected})
        for (Label& label : *labels) label.description.clear();
    }
    EXPECT_EQ(recipe.labels, expected) << file;
    ++num_checked;
  }
  EXPECT_GE(num_checked, 5);
}

/// Shapes of the models that shipped recipes name, by their directory.
std::optional<LlamaConfig> published_shape(const std::string& path) {
  static const std::map<std::string, std::string> kPresets = {{"models/smollm2-135m-instruct", "smollm2-135m"},
                                                              {"models/Mistral-7B-Instruct-v0.2", "mistral-7b"},
                                                              {"models/Llama-2-7b-chat-hf", "llama2-7b"},
                                                              {"models/Llama-2-13b-chat-hf", "llama2-13b"},
                                                              {"models/CodeLlama-34b-Instruct-hf", "codellama-34b"},
                                                              {"models/Yi-34B-Chat", "yi-34b"},
                                                              {"models/Llama-3.1-8B-Instruct", "llama3.1-8b"},
                                                              {"models/Qwen2.5-7B-Instruct", "qwen2.5-7b"},
                                                              {"models/Qwen3-8B", "qwen3-8b"}};
  const auto found = kPresets.find(path);
  return found == kPresets.end() ? std::nullopt : preset_config(found->second);
}

TEST(ShippedRecipesTest, PresetsOfTheSchemaAreThePublishedShapes) {
  std::set<std::string> names{"none"};
  for (const std::string& name : preset_names()) names.insert(name);
  const auto& choices = find_key("model.preset")->choices;
  EXPECT_EQ(std::set<std::string>(choices.begin(), choices.end()), names);
}

TEST(ShippedRecipesTest, FitTheModelsTheyName) {
  for (const auto& file : shipped_recipes()) {
    for (const StudyCell& cell : expand_study(file, {}, kNoFiles)) {
      const Recipe& recipe = cell.loaded.recipe;
      const std::optional<LlamaConfig> shape = published_shape(recipe.model.path);
      ASSERT_TRUE(shape.has_value()) << file << " names " << recipe.model.path;
      EXPECT_NO_THROW(validate_layout(recipe, *shape, recipe.parallel.tensor)) << file << ", " << cell.name;
    }
  }
}

TEST(ShippedRecipesTest, TheReferenceHasEveryKeyOnceInOrderWithAComment) {
  const auto file = std::filesystem::path(ENTUNE_SOURCE_DIR) / "recipes/reference.yaml";
  const LoadedRecipe loaded = load_recipe(file, {}, kNoFiles);
  int last_line = 0;
  int last_column = 0;
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  for (const ResolvedKey& key : loaded.keys) {
    ASSERT_NE(key.origin, "default") << key.key << " is not in the reference recipe";
    int line = 0;
    int column = 0;
    ASSERT_EQ(std::sscanf(key.origin.substr(file.string().size()).c_str(), ":%d:%d", &line, &column), 2);
    EXPECT_TRUE(line > last_line || (line == last_line && column > last_column)) << key.key << " is out of order";
    last_line = line;
    last_column = column;
    if (find_key(key.key)->type == ValueType::labels || find_key(key.key)->type == ValueType::study) continue;
    EXPECT_THAT(lines.at(static_cast<std::size_t>(line) - 1), HasSubstr("# "))
        << key.key << " has no comment on its line";
  }
}

}  // namespace
}  // namespace entune
