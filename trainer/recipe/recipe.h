#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "data/corpus.h"
#include "data/entity.h"
#include "data/prompts/prompt.h"
#include "data/split.h"
#include "trainer/generate/generator.h"
#include "trainer/model/decoder_model.h"
#include "trainer/optim/adamw.h"
#include "trainer/optim/schedule.h"

namespace entune {

/// One data file of the recipe and how to read it.
struct DataFile {
  std::string path;
  std::string reader = "auto";  ///< auto | jsonl | presidio | conll
  std::string scheme = "iob2";  ///< iob1 | iob2 | bioes
};

/// How often something happens during training.
struct Frequency {
  enum class Kind { none, epoch, steps } kind = Kind::epoch;
  std::int64_t steps = 0;
};

enum class TrainingMethod { lora, full, none };

/// A validated recipe: every key of a recipe file with its value (keys and defaults: recipes/reference.yaml). Seen by
/// recipe/, study/, commands/ and tests alone; every component gets its own Options.
struct Recipe {
  std::string name;
  std::string output;  ///< default runs/<name>
  std::uint64_t seed = 1;

  struct Model {
    std::string path;
    std::string init = "pretrained";  ///< pretrained | random
    std::string preset = "none";
    std::string adapter = "none";  ///< a PEFT adapter directory, or none
    std::string dtype = "auto";    ///< auto | float32 | bfloat16
    std::string chat = "auto";
  } model;

  struct Data {
    std::optional<DataFile> train, validation, test;
    std::string split_by = "template_id";
    SplitOptions split;
    OnBadSample on_bad_sample = OnBadSample::fail;
    std::int64_t max_skipped = 0;
    std::vector<std::string> held_out_labels;
  } data;

  LabelList labels;
  std::map<std::string, std::optional<std::string>> label_map;

  struct Task {
    std::string format = "xml";
    PromptOptions prompt;
    std::int64_t label_list_variants = 1;
  } task;

  struct Training {
    TrainingMethod method = TrainingMethod::lora;
    LoraOptions lora{.targets = {}};  ///< targets: `all` resolved to the seven projections
    std::int64_t epochs = 3;
    std::int64_t global_batch = 16;
    std::int64_t micro_batch_tokens = 4096;
    bool prefix_sharing = true;
    ActivationCheckpointing activation_checkpointing = ActivationCheckpointing::none;
    double prompt_weight = 0.0;
    AdamWOptions optimizer;
    ScheduleOptions schedule;
    std::int64_t max_tokens = 4096;
    bool skip_too_long = false;  ///< on_too_long: skip
    Frequency evaluate_every;
    std::string keep_best = "strict_f1";  ///< strict_f1 | loss
  } training;

  struct Generation {
    GenerationOptions options;  ///< max_new_tokens 0: auto
    bool write_predictions = false;
  } generation;

  struct Parallel {
    std::int64_t data = 0;  ///< 0: auto, world size / tensor
    std::int64_t tensor = 1;
    bool sequence = false;           ///< with tensor 1 there is nothing to cut: no effect
    std::int64_t zero = 1;           ///< ZeRO stage: 0 | 1 (optimizer states sharded over the data axis)
    std::string transport = "auto";  ///< auto | mpi (CPUs) | nccl (GPUs)
    bool deterministic = false;      ///< algorithms of GPUs that give the same bits from run to run
  } parallel;

  struct Checkpoint {
    Frequency every;
    std::int64_t keep = 2;
    std::string resume = "none";  ///< none | auto (the cell's newest) | a checkpoint's directory
  } checkpoint;

  std::string export_as = "adapter";  ///< adapter | merged (beside the adapter) | hf (of a full fine-tuning) | none

  struct Metrics {
    bool enabled = true;
    std::string bind = "127.0.0.1";
    int port = 0;  ///< of a machine's first rank, the next ones follow; 0: any
    std::string targets_file = "none";
  } metrics;
  double gpu_hour_price_usd = 0.0;

  struct Watchdog {
    std::int64_t collective_seconds = 600, step_seconds = 1800;  ///< 0: no limit
  } watchdog;

  struct Evaluation {
    std::vector<std::string> splits{"test"};  ///< of train, validation, test
    std::int64_t bootstrap = 1000;
    std::string baseline = "patterns";  ///< patterns | none
  } evaluation;

  /// Study axes in file order: key path -> its values as YAML text ("task.format" -> {"xml", "json"}). Every
  /// combination is a cell.
  std::vector<std::pair<std::string, std::vector<std::string>>> study;
};

/// Where a value of a resolved recipe came from, for show-config.
struct ResolvedKey {
  std::string key;     ///< dotted path
  std::string value;   ///< YAML text
  std::string origin;  ///< "default", "recipes/x.yaml:12:3" or "command line"
};

struct LoadedRecipe {
  Recipe recipe;
  std::vector<ResolvedKey> keys;  ///< every key of the schema, in its order
  std::string resolved_yaml;      ///< a recipe file that gives the same Recipe
};

struct LoadOptions {
  bool check_files = true;  ///< refuse a recipe whose model directory or data files are not there
};

/// Reads, checks and completes a recipe. Overrides are "a.b=value" (value in YAML). Throws InputError
/// "file:line:column: ..." for unknown or duplicate keys (with the nearest allowed one), wrong types, octal-looking
/// numbers, aliases, values outside their range, keys that contradict each other.
/// Relative paths in a recipe start at the current directory. `study.a.b=[...]` sets one axis of the
/// study, `study=none` drops it; a plain override of a key that the study varies is refused.
LoadedRecipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                         const LoadOptions& options = {});

/// One cell of the recipe's study.
struct StudyCell {
  std::string name;                    ///< "format=xml seed=1"; the recipe's name if there is no study
  std::vector<std::string> overrides;  ///< "task.format=xml", ...
  LoadedRecipe loaded;                 ///< with these overrides, without `study`
};
/// The cells in order (the last axis varies fastest); one for a recipe without a study. Cells keep the recipe's name
/// and output. A value in a cell's name that is long or no single word is given by its place in the axis ("prompt=#2").
std::vector<StudyCell> expand_study(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                                    const LoadOptions& options = {});

/// The place of the cell that `wanted` means: its number (from 0) or its name. Throws InputError that lists them.
std::size_t find_cell(const std::vector<StudyCell>& cells, const std::string& wanted);

/// What must hold between recipe, model and rank count before anything is loaded: mesh equal to the world, heads, kv
/// heads and intermediate size divisible by parallel.tensor, positions for max_tokens. Throws InputError naming the
/// keys to change and the sizes that would do.
void validate_layout(const Recipe& recipe, const LlamaConfig& config, std::int64_t world_size);

}  // namespace entune
