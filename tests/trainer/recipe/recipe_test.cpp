#include "trainer/recipe/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/trainer/recipe/recipe_fixture.h"
#include "trainer/recipe/schema.h"
#include "trainer/recipe/yaml_node.h"

namespace entune {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string dump(const std::optional<DataFile>& file) {
  return file ? fmt::format("({} {} {})", file->path, file->reader, file->scheme) : "none";
}
std::string dump(const SplitSize& size) {
  return fmt::format("({} {} {})", static_cast<int>(size.kind), size.count, size.fraction);
}

/// Every field of a recipe but the study, the name and what has no default.
std::string dump(const Recipe& r) {
  std::string text = fmt::format("{} {} {} {} {} {}\n", r.seed, r.model.init, r.model.preset, r.model.adapter,
                                 r.model.dtype, r.model.chat);
  text += fmt::format("{} {} {} ", dump(r.data.validation), dump(r.data.test), r.data.split_by);
  text += fmt::format("{} {} {}\n", r.data.split.seed, static_cast<int>(r.data.on_bad_sample), r.data.max_skipped);
  text += fmt::format("{}\n", fmt::join(r.data.held_out_labels, ","));
  for (const auto& [from, to] : r.label_map) text += fmt::format("{}->{};", from, to.value_or("(dropped)"));
  text += fmt::format("\n{} {} {}\n", r.task.format, r.task.prompt.kind, r.task.label_list_variants);
  for (const Turn& turn : r.task.prompt.turns) text += fmt::format("{}|{}\n", static_cast<int>(turn.role), turn.text);
  const Recipe::Training& t = r.training;
  text += fmt::format("{} {} {} {} ", static_cast<int>(t.method), t.lora.rank, t.lora.alpha, t.lora.dropout);
  text += fmt::format("{} {} {} {} ", t.epochs, t.global_batch, t.micro_batch_tokens, t.prefix_sharing);
  text += fmt::format("{} {}\n", static_cast<int>(t.activation_checkpointing), t.prompt_weight);
  text += fmt::format("{} {} {} {} {} {}\n", t.optimizer.lr, t.optimizer.beta1, t.optimizer.beta2, t.optimizer.eps,
                      t.optimizer.weight_decay, t.optimizer.clip_norm);
  text +=
      fmt::format("{} {} {}\n", t.schedule.warmup_steps, static_cast<int>(t.schedule.decay), t.schedule.final_fraction);
  text += fmt::format("{} {} {} {} {}\n", t.max_tokens, t.skip_too_long, static_cast<int>(t.evaluate_every.kind),
                      t.evaluate_every.steps, t.keep_best);
  text += fmt::format("{} {} {}\n", r.generation.options.max_new_tokens, r.generation.options.batch_tokens,
                      r.generation.write_predictions);
  text += fmt::format("{} {} {} {} {} {} ", r.parallel.data, r.parallel.tensor, r.parallel.sequence, r.parallel.zero,
                      r.parallel.transport, r.parallel.deterministic);
  text += fmt::format("{} {}\n", r.export_as, r.gpu_hour_price_usd);
  text += fmt::format("{} {} {}\n", fmt::join(r.evaluation.splits, ","), r.evaluation.bootstrap, r.evaluation.baseline);
  return text;
}
std::string dump_all(const Recipe& r) {
  std::string text = fmt::format("{} {} {} {} {}\n", r.name, r.output, r.model.path, dump(r.data.train), dump(r));
  for (const Label& label : r.labels) text += label.name + "=" + label.description + ";";
  for (const SplitSize* side : {&r.data.split.train, &r.data.split.validation, &r.data.split.test}) text += dump(*side);
  text += fmt::format(" {}\n", fmt::join(r.training.lora.targets, ","));
  for (const auto& [key, values] : r.study) text += fmt::format("{}: {}\n", key, fmt::join(values, " ; "));
  return text;
}

TEST_F(RecipeTest, DefaultsAreThoseOfTheStruct) {
  const LoadedRecipe loaded = load(kMinimal);
  EXPECT_EQ(dump(loaded.recipe), dump(Recipe{}));
  EXPECT_EQ(loaded.recipe.name, "r");
  EXPECT_EQ(loaded.recipe.output, "runs/r");
  EXPECT_THAT(loaded.recipe.training.lora.targets,
              ElementsAre("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"));
  EXPECT_EQ(loaded.recipe.data.split.train.count, 800);
  EXPECT_EQ(loaded.recipe.data.split.test.count, 400);
}

TEST_F(RecipeTest, EveryKeyReachesTheRecipe) {
  const LoadedRecipe loaded = load(R"(
name: a-name
output: "runs/with space"
seed: 7
model: {path: m, init: random, preset: smollm2-135m, dtype: bfloat16, chat: vicuna}
data:
  train: {path: t.conll, reader: conll, scheme: bioes}
  test: other.json
  split: {by: source, train: 0.75, validation: 12, seed: 9}
  on_bad_sample: skip
  max_skipped: 4
  held_out_labels: [B]
labels: {Z: last first, A: 'a: "quoted"', B: é}
label_map: {per: A, misc: null}
task:
  format: bio
  prompt: [{role: system, text: "s\nt"}, {role: user, text: "{text}"}]
  label_list_variants: 3
training:
  method: full
  lora: {rank: 2, alpha: 3.5, dropout: 0.25, targets: [v_proj, q_proj]}
  epochs: 4
  global_batch: 6
  micro_batch_tokens: 100
  prefix_sharing: false
  activation_checkpointing: full
  loss: {prompt_weight: 0.5}
  optimizer: {lr: 2e-4, betas: [0.8, 0.99], weight_decay: 0.1, eps: 1e-6, clip_norm: 0}
  schedule: {warmup_steps: 0, decay: cosine, final_fraction: 0}
  max_tokens: 512
  on_too_long: skip
  evaluate_every: 20
  keep_best: loss
generation: {max_new_tokens: 64, batch_tokens: 1000, write_predictions: true}
parallel: {data: 2, tensor: 3, sequence: true, zero: 0, transport: mpi, deterministic: true}
export: hf
telemetry: {metrics: {enabled: false, bind: "::1", port: 9400, targets_file: t.json}, gpu_hour_price_usd: 0.0}
evaluation: {splits: [validation, test], bootstrap: 10, baseline: none}
study: {seed: [1, 2]}
)");
  const Recipe& r = loaded.recipe;
  EXPECT_EQ(r.name, "a-name");
  EXPECT_FALSE(r.metrics.enabled);
  EXPECT_EQ(r.metrics.bind, "::1");
  EXPECT_EQ(r.metrics.port, 9400);
  EXPECT_EQ(r.metrics.targets_file, "t.json");
  EXPECT_EQ(r.output, "runs/with space");
  EXPECT_EQ(dump(r.data.train), "(t.conll conll bioes)");
  EXPECT_EQ(dump(r.data.test), "(other.json auto iob2)");
  EXPECT_EQ(r.data.split.train.kind, SplitSize::Kind::fraction);
  EXPECT_EQ(r.data.split.train.fraction, 0.75);
  EXPECT_EQ(r.data.split.validation.count, 12);
  EXPECT_EQ(r.data.split.test.kind, SplitSize::Kind::none) << "a side with a file of its own is not in the split";
  EXPECT_THAT(r.labels, ElementsAre(Label{"Z", "last first"}, Label{"A", "a: \"quoted\""}, Label{"B", "é"}));
  EXPECT_THAT(r.training.lora.targets, ElementsAre("v_proj", "q_proj"));
  EXPECT_THAT(r.study, ElementsAre(std::pair<std::string, std::vector<std::string>>{"seed", {"1", "2"}}));
  EXPECT_EQ(dump(r),
            "7 random smollm2-135m none bfloat16 vicuna\n"
            "none (other.json auto iob2) source 9 1 4\n"
            "B\n"
            "misc->(dropped);per->A;\n"
            "bio turns 3\n"
            "0|s\nt\n"
            "1|{text}\n"
            "1 2 3.5 0.25 4 6 100 false 2 0.5\n"
            "0.0002 0.8 0.99 1e-06 0.1 0\n"
            "0 1 0\n"
            "512 true 2 20 loss\n"
            "64 1000 true\n"
            "2 3 true 0 mpi true hf 0\n"
            "validation,test 10 none\n");
}

TEST_F(RecipeTest, ResolvedYamlGivesTheSameRecipe) {
  const std::vector<std::vector<std::string>> variants = {
      {},
      {"seed=9007199254740", "output=\"runs/a: b # c\"", "training.lora.targets=[o_proj]"},
      {"labels={A: \"one, [two] {three}\", B: \"- x\", C: \"null\", D: \"10\", E: \"tab\\there\", F: \"\\u00e9 "
       "\\\"q\\\" 'p'\"}",
       "data.held_out_labels=[C]", "label_map={\"a: b\": A, \"null\": null}"},
      {"task.prompt=[{role: user, text: \"line one\\n  line two\\n\\n{text}\"}]", "data.split.train=0.5",
       "data.split.validation=0.25", "data.split.test=rest"},
      {"data.test={path: x.conll, scheme: iob1}", "data.validation=v.jsonl", "training.optimizer.betas=[0.5, 0.5]"},
      {"training.activation_checkpointing=selective"},
      {"study={task.format: [xml, json], training.optimizer.lr: [1e-3, 0.01], task.prompt: [minimal, [{role: user, "
       "text: \"{text}\"}]]}"},
  };
  for (const auto& overrides : variants) {
    const LoadedRecipe first = load(kMinimal, overrides);
    const LoadedRecipe second = load(first.resolved_yaml);
    EXPECT_EQ(dump_all(first.recipe), dump_all(second.recipe)) << first.resolved_yaml;
    EXPECT_EQ(first.resolved_yaml, second.resolved_yaml);
  }
}

TEST_F(RecipeTest, ResolvedYamlHoldsArbitraryText) {
  std::mt19937_64 random(1);
  const std::vector<std::string> pieces = {
      "a",  "Z", "0", " ",    "  ",   "\n", "\t", ":",      ": ",     "#",      " #",     "'",  "\"",  "\\",
      "{",  "}", "[", "]",    ",",    "&",  "*",  "!",      "|",      ">",      "%",      "@",  "`",   "-",
      "- ", "?", "~", "null", "true", "é",  "😀",  "\u2028", "\u0085", "\u00a0", "\ufeff", "<<", "---", "..."};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::uint64_t i = 0, n = 1 + random() % 8; i < n; ++i) text += pieces[random() % pieces.size()];
    YamlNode value{.kind = YamlNode::Kind::scalar, .scalar = text, .quoted = true};
    const LoadedRecipe first =
        load(kMinimal, {"labels={A: " + to_flow(value) + "}", "label_map={" + to_flow(value) + ": null}"});
    ASSERT_EQ(first.recipe.labels.front().description, text);
    const LoadedRecipe second = load(first.resolved_yaml);
    ASSERT_EQ(second.recipe.labels.front().description, text) << first.resolved_yaml;
    ASSERT_EQ(second.recipe.label_map.begin()->first, text) << first.resolved_yaml;
  }
}

TEST_F(RecipeTest, KeysTellTheirOrigin) {
  const LoadedRecipe loaded = load(kMinimal, {"training.epochs=2", "training.lora={rank: 4}"});
  std::map<std::string, ResolvedKey> keys;
  for (const ResolvedKey& key : loaded.keys) keys[key.key] = key;
  EXPECT_EQ(loaded.keys.size(), schema().size());
  EXPECT_EQ(shorten(keys["model.path"].origin), "r.yaml:1:15");
  EXPECT_EQ(keys["model.path"].value, "models/m");
  EXPECT_EQ(shorten(keys["labels"].origin), "r.yaml:4:3");
  EXPECT_EQ(keys["labels"].value, "{PERSON: \"Name of a person\"}");
  EXPECT_EQ(keys["training.epochs"].origin, "command line");
  EXPECT_EQ(keys["training.lora.rank"].value, "4");
  EXPECT_EQ(keys["training.lora.alpha"].origin, "default");
  EXPECT_EQ(keys["output"].value, "runs/r");
}

TEST_F(RecipeTest, UnknownKeysNameTheNearest) {
  EXPECT_EQ(error_of(std::string(kMinimal) + "training:\n  lora: {rank: 8}\n  epoch: 3\n"),
            "r.yaml:7:3: unknown key 'training.epoch'; did you mean 'training.epochs'?");
  EXPECT_EQ(error_of(std::string(kMinimal) + "trainign: {epochs: 3}\n"),
            "r.yaml:5:1: unknown key 'trainign'; did you mean 'training'?");
  EXPECT_EQ(error_of(std::string(kMinimal) + "training: {lora: {r: 8}}\n"),
            "r.yaml:5:19: unknown key 'training.lora.r'; training.lora has rank, alpha, dropout, targets");
  EXPECT_EQ(
      error_of(std::string(kMinimal) + "x: 1\n"),
      "r.yaml:5:1: unknown key 'x'; a recipe has name, output, seed, model, data, labels, label_map, task, training, "
      "generation, parallel, checkpoint, export, telemetry, watchdog, evaluation, study");
  EXPECT_EQ(
      error_of(std::string(kMinimal) + "training: {é: 1, lore: 2}\n"),
      "r.yaml:5:12: unknown key 'training.é'; training has method, lora, epochs, global_batch, micro_batch_tokens, "
      "prefix_sharing, activation_checkpointing, loss, optimizer, schedule, max_tokens, on_too_long, evaluate_every, "
      "keep_best");
  EXPECT_EQ(error_of(kMinimal, {"training.lora.rnak=3"}),
            "command line: unknown key 'training.lora.rnak'; did you mean 'training.lora.rank'?");
  EXPECT_EQ(error_of(kMinimal, {"traning.epochs=1"}),
            "command line: unknown key 'traning.epochs'; did you mean 'training.epochs'?");
  EXPECT_EQ(error_of(kMinimal, {"training.optimiser.lr=1"}),
            "command line: unknown key 'training.optimiser.lr'; did you mean 'training.optimizer.lr'?");
  EXPECT_EQ(error_of(kMinimal, {"labels.EMAIL=x"}),
            "command line: unknown key 'labels.EMAIL': labels is a value and has no keys of its own here");
  EXPECT_THAT(error_of(std::string(kMinimal) + "training.epochs: 3\n"),
              StartsWith("r.yaml:5:1: key 'training.epochs' with a dot"));
  EXPECT_EQ(error_of("model: {path: m}\nlabels: {A: a}\ndata: {train: {path: x.jsonl, readr: jsonl}}\n"),
            "r.yaml:3:31: data.train: unknown member 'readr'; did you mean 'reader'?");
}

TEST_F(RecipeTest, TypesAreStrict) {
  const auto error = [&](const std::string& line) { return error_of(kMinimal + line + "\n"); };
  EXPECT_EQ(error("seed: 010"),
            "r.yaml:5:7: seed: '010' could be decimal or octal; write a decimal number without leading zeros");
  EXPECT_EQ(error("seed: 0x1F"),
            "r.yaml:5:7: seed: '0x1F' is hexadecimal; write a decimal number without leading zeros");
  EXPECT_THAT(error("seed: 0o17"), StartsWith("r.yaml:5:7: seed: '0o17' is octal;"));
  EXPECT_THAT(error("seed: 0b1"), StartsWith("r.yaml:5:7: seed: '0b1' is binary;"));
  EXPECT_THAT(error("training: {optimizer: {lr: 00.1}}"),
              StartsWith("r.yaml:5:28: training.optimizer.lr: '00.1' could be"));
  EXPECT_THAT(error("data: {split: {train: 0800}}"), HasSubstr("key 'data' a second time"));
  EXPECT_THAT(error("seed: -01"), HasSubstr("could be decimal or octal"));
  EXPECT_EQ(error("seed: 1.0"),
            "r.yaml:5:7: seed: expected an integer of at least 0 and at most 1000000000000000, found '1.0'");
  EXPECT_EQ(error("seed: -1"),
            "r.yaml:5:7: seed: expected an integer of at least 0 and at most 1000000000000000, found '-1'");
  EXPECT_THAT(error("seed: 99999999999999999999"), HasSubstr("found '99999999999999999999'"));
  EXPECT_EQ(
      error("seed: \"1\""),
      "r.yaml:5:7: seed: expected an integer of at least 0 and at most 1000000000000000, found the quoted text '1'");
  EXPECT_THAT(error("seed: 1_000"), HasSubstr("found '1_000'"));
  EXPECT_THAT(error("seed: 3e4"), HasSubstr("found '3e4'"));
  EXPECT_THAT(error("seed:"), StartsWith("r.yaml:5:1: seed: expected an integer"));
  EXPECT_THAT(error("seed: [1]"), HasSubstr("found a list of 1"));
  for (const char* word : {".inf", "-.inf", ".nan", "inf", "nan", "1e400", "one", "1.0.0", "true"}) {
    EXPECT_EQ(
        error(fmt::format("training: {{optimizer: {{lr: {}}}}}", word)),
        fmt::format("r.yaml:5:28: training.optimizer.lr: expected a number above 0 and at most 10, found '{}'", word));
  }
  for (const char* word : {"yes", "no", "on", "off", "y", "True", "FALSE", "1"}) {
    EXPECT_THAT(error(fmt::format("training: {{prefix_sharing: {}}}", word)),
                StartsWith("r.yaml:5:28: training.prefix_sharing: expected true or false, found"))
        << word;
  }
  EXPECT_EQ(error("training: {prefix_sharing: ~}"),
            "r.yaml:5:12: training.prefix_sharing: expected true or false, found nothing");
  EXPECT_THAT(error("training: {prefix_sharing: \"true\"}"), EndsWith("found the quoted text 'true'"));
  EXPECT_EQ(
      error("training: 3"),
      "r.yaml:5:11: training: expected a mapping with keys of method, lora, epochs, global_batch, micro_batch_tokens, "
      "prefix_sharing, activation_checkpointing, loss, optimizer, schedule, max_tokens, on_too_long, evaluate_every, "
      "keep_best, "
      "found '3'");
  EXPECT_THAT(error("training:"), EndsWith("found nothing"));
  EXPECT_EQ(error("task: {format: yaml}"),
            "r.yaml:5:16: task.format: expected one of xml, json, json_values, bracket, bio, found 'yaml'");
  EXPECT_EQ(error("evaluation: {splits: test}"),
            "r.yaml:5:22: evaluation.splits: expected a list of train, validation, test, found 'test'");
  EXPECT_EQ(error("evaluation: {splits: [test, dev]}"),
            "r.yaml:5:29: evaluation.splits: expected one of train, validation, test, found 'dev'");
  EXPECT_THAT(error("evaluation: {splits: [test, test]}"),
              StartsWith("r.yaml:5:29: evaluation.splits: 'test' stands in the list twice"));
  EXPECT_THAT(error("training: {optimizer: {betas: 0.9}}"), EndsWith("expected a list of two numbers, found '0.9'"));
  EXPECT_THAT(error("training: {optimizer: {betas: [0.9, 1]}}"),
              EndsWith("expected a number of at least 0 and below 1, found '1'"));
  EXPECT_THAT(error("training: {lora: {targets: [q_proj, qproj]}}"),
              StartsWith("r.yaml:5:37: training.lora.targets: expected one of q_proj"));
  EXPECT_THAT(error("training: {lora: {targets: []}}"), EndsWith("found a list of 0"));
  EXPECT_THAT(error("training: {evaluate_every: 0}"), EndsWith("expected epoch, none or a number of steps, found '0'"));
  EXPECT_THAT(error("training: {loss: {prompt_weight: 1.5}}"),
              EndsWith("expected a number of at least 0 and at most 1, found '1.5'"));
  EXPECT_THAT(error("task: {prompt: [{role: robot, text: x}]}"),
              StartsWith("r.yaml:5:24: task.prompt: expected role as one of system, user"));
  EXPECT_THAT(error("task: {prompt: [{role: user}]}"),
              EndsWith("expected a turn with both role and text, found a mapping with 'role'"));
  EXPECT_THAT(error("label_map: {A: [B]}"),
              StartsWith("r.yaml:5:16: label_map: expected a label of 'labels', or null"));
}

TEST_F(RecipeTest, SplitSizesAndLabels) {
  const auto error = [&](const std::string& split) {
    return error_of("model: {path: m}\nlabels: {A: a}\ndata: {train: x.jsonl, split: {" + split + "}}\n");
  };
  EXPECT_THAT(error("train: 0800"), StartsWith("r.yaml:3:39: data.split.train: '0800' could be decimal or octal"));
  for (const char* size : {"1.0", "1.5", "-1", "all", "\"800\"", ".inf", "1e3"}) {
    EXPECT_THAT(
        error(fmt::format("train: {}", size)),
        StartsWith("r.yaml:3:39: data.split.train: expected a count, a fraction between 0 and 1, rest or none, found"))
        << size;
  }
  EXPECT_THAT(error("train: 0.9, validation: 0.2, test: 5"), HasSubstr("the fractions add up to 1.1"));
  EXPECT_THAT(error("train: rest, test: rest"), HasSubstr("only one side of a split can be the rest"));
  EXPECT_EQ(error("train: rest, validation: 0.25, test: 3"), "accepted");

  const auto labels = [&](const std::string& text) {
    return error_of("model: {path: m}\ndata: {train: x.jsonl}\nlabels: " + text + "\n");
  };
  EXPECT_THAT(labels("{person: x}"), StartsWith("r.yaml:3:10: labels: expected a label of capital letters"));
  EXPECT_THAT(labels("{A: a, 1A: x}"), StartsWith("r.yaml:3:16: labels: expected a label of capital letters"));
  EXPECT_THAT(labels("{A: }"), HasSubstr("labels: expected a description of A, found nothing"));
  EXPECT_THAT(labels("{A: \"\"}"), HasSubstr("labels: expected a description of A"));
  EXPECT_EQ(labels("{}"), "r.yaml:3:9: labels: expected at least one label, found an empty mapping");
  EXPECT_THAT(labels("[A, B]"), HasSubstr("expected a mapping from each label to its description, found a list of 2"));
}

TEST_F(RecipeTest, YamlIsStrict) {
  const auto error = [&](const std::string& text) { return error_of(text); };
  EXPECT_EQ(error("seed: 1\nname: a\nseed: 2\n"),
            "r.yaml:3:1: key 'seed' a second time (first at r.yaml:1:1); keep one");
  EXPECT_EQ(error("training:\n  lora: {rank: 1,\n         rank: 2}\n"),
            "r.yaml:3:10: key 'rank' a second time (first at r.yaml:2:10); keep one");
  EXPECT_EQ(error("seed: &one 1\n"),
            "r.yaml:1:7: an anchor (&name): recipes have no anchors and aliases; write the value out");
  EXPECT_THAT(error("model: &m\n  path: x\n"), HasSubstr("an anchor (&name)"));
  EXPECT_THAT(error("a: &x [*x]\n"), HasSubstr("an anchor (&name)"));
  EXPECT_THAT(error("seed: *one\n"), HasSubstr("r.yaml:1:7: "));
  EXPECT_EQ(error("model:\n  <<: {path: x}\n"),
            "r.yaml:2:3: a merge key (<<): recipes have no merge keys; write the values out");
  EXPECT_EQ(error("seed: !!int 1\n"), "r.yaml:1:7: a tag (!name): recipes have no tags; remove it");
  EXPECT_THAT(error("seed: !own 1\n"), HasSubstr("a tag (!name)"));
  EXPECT_THAT(error("model: !!map {path: x}\n"), HasSubstr("a tag (!name)"));
  EXPECT_THAT(error(std::string(kMinimal) + "---\nseed: 1\n"), StartsWith("r.yaml:5:1: a second document"));
  EXPECT_EQ(error("---\n" + std::string(kMinimal) + "...\n"), "accepted");
  EXPECT_EQ(error("\xEF\xBB\xBF" + std::string(kMinimal)), "accepted");
  EXPECT_EQ(error(""), "r.yaml: expected a recipe, found nothing in the file");
  EXPECT_EQ(error("# only a comment\n"), "r.yaml: expected a recipe, found nothing in the file");
  EXPECT_THAT(error("- a\n- b\n"), HasSubstr("r.yaml:1:1: expected a mapping with keys of name, output"));
  EXPECT_THAT(error("{a: 1}: b\n"), HasSubstr("keys are plain text"));
  EXPECT_THAT(error("? [a]\n: b\n"), HasSubstr("keys are plain text"));
  EXPECT_THAT(error("~: b\n"), StartsWith("r.yaml:1:1: a key that is empty or null"));
  EXPECT_THAT(error("seed: [1\nname: x\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(error("name: é [x\nseed: \"open\n"), StartsWith("r.yaml:"));
  EXPECT_THAT(error("seed: 1\nname: ab\xC3(\n"), StartsWith("r.yaml:2:9: expected UTF-8, found an invalid byte"));
  EXPECT_THAT(error("name: é\xFF\n"), StartsWith("r.yaml:1:8: expected UTF-8"));
  EXPECT_THAT(error(std::string("seed: 1\nname: a\0b\n", 17)),
              StartsWith("r.yaml:2:8: a control character (byte 0x00)"));
  EXPECT_THAT(error("name: \"a\\0b\"\n"), StartsWith("r.yaml:1:7: an escaped control character"));
  EXPECT_THAT(error("label_map: " + std::string(31, '[') + std::string(31, ']') + "\n"),
              HasSubstr("label_map: expected a mapping"));
  EXPECT_EQ(error("label_map: " + std::string(32, '[') + std::string(32, ']') + "\n"),
            "r.yaml:1:43: nested deeper than 32 levels");
  EXPECT_THAT(error("a: " + std::string(100000, '[')),
              StartsWith("r.yaml:1:5: a list or a mapping in the place of a key"));
  EXPECT_THAT(error("a:\n  - " + std::string(100000, '-')), StartsWith("r.yaml:1:1: unknown key 'a'"));
  EXPECT_THAT(error(std::string(kMinimal) + "#" + std::string(1 << 20, 'x')),
              StartsWith("r.yaml: expected a recipe of at most 1 MiB"));
  EXPECT_EQ(error(std::string(kMinimal) + "#" + std::string((1 << 20) - 200, 'x')), "accepted");
}

TEST_F(RecipeTest, OverridesFollowTheSameRules) {
  for (const char* second : {"training.epochs=5", "training.epochs=2", "training={epochs: 5}"}) {
    EXPECT_EQ(error_of(kMinimal, {"training.epochs=2", second}),
              "command line: key 'training.epochs' a second time; keep one");
  }
  EXPECT_EQ(load(kMinimal, {"model.path=a=b"}).recipe.model.path, "a=b");
  EXPECT_EQ(load(kMinimal, {"data.train={path: x, reader: presidio}"}).recipe.data.train->reader, "presidio");
  EXPECT_EQ(load(kMinimal, {"training={lora: {rank: 2}, epochs: 9}"}).recipe.training.lora.rank, 2);
  const auto error = [&](const std::string& text) { return error_of(kMinimal, {text}); };
  EXPECT_EQ(error("training.epochs"), "command line: expected key=value, found 'training.epochs'");
  EXPECT_EQ(error("=3"), "command line: expected key=value, found '=3'");
  EXPECT_EQ(error("training.epochs="),
            "command line: training.epochs: expected an integer of at least 1 and at most 1000000, found nothing");
  EXPECT_EQ(error("training.epochs=many"),
            "command line: training.epochs: expected an integer of at least 1 and at most 1000000, found 'many'");
  EXPECT_THAT(error("training.epochs=03"), StartsWith("command line: training.epochs: '03' could be decimal or octal"));
  EXPECT_THAT(error("training={epochs: 3, epochs: 4}"),
              StartsWith("command line: training: key 'epochs' a second time"));
  EXPECT_THAT(error("training={epoch: 3}"), StartsWith("command line: unknown key 'training.epoch'; did you mean"));
  EXPECT_THAT(error("training=3"), StartsWith("command line: training: expected a mapping"));
  EXPECT_THAT(error("name=[a"), StartsWith("command line: name: "));
  EXPECT_THAT(error("name=\"a"), StartsWith("command line: name: not valid YAML"));
  EXPECT_THAT(error("name=\xFF"), StartsWith("command line: name: expected UTF-8"));
}

}  // namespace
}  // namespace entune
