#include "trainer/recipe/load_recipe.h"

#include <fmt/format.h>

#include <fstream>

#include "data/input_error.h"
#include "trainer/recipe/typed_values.h"
#include "trainer/recipe/validate.h"

namespace entune {
namespace {

/// Typed access to settings that are complete: every key is there and has been checked.
class Reader {
 public:
  explicit Reader(const Settings& settings) : settings_(settings) {}

  std::string text(std::string_view key) const { return read_text(*find_key(key), settings_.value(key)); }
  bool boolean(std::string_view key) const { return read_boolean(*find_key(key), settings_.value(key)); }
  /// The key's word (auto) is 0.
  std::int64_t integer(std::string_view key) const {
    return read_integer(*find_key(key), settings_.value(key)).value_or(0);
  }
  double number(std::string_view key) const { return read_number(*find_key(key), settings_.value(key)); }
  template <typename Read>
  auto with(Read read, std::string_view key) const {
    return read(*find_key(key), settings_.value(key));
  }

 private:
  const Settings& settings_;
};

Recipe::Data read_data(const Reader& read) {
  Recipe::Data data;
  data.train = read.with(read_data_file, "data.train");
  data.validation = read.with(read_data_file, "data.validation");
  data.test = read.with(read_data_file, "data.test");
  data.split_by = read.text("data.split.by");
  data.split.train = read.with(read_split_size, "data.split.train");
  data.split.validation = read.with(read_split_size, "data.split.validation");
  data.split.test = read.with(read_split_size, "data.split.test");
  data.split.seed = static_cast<std::uint64_t>(read.integer("data.split.seed"));
  data.on_bad_sample = read.text("data.on_bad_sample") == "skip" ? OnBadSample::skip : OnBadSample::fail;
  data.max_skipped = read.integer("data.max_skipped");
  data.held_out_labels = read.with(read_names, "data.held_out_labels");
  return data;
}

Recipe::Training read_training(const Reader& read) {
  Recipe::Training training;
  const std::string method = read.text("training.method");
  training.method = method == "lora"   ? TrainingMethod::lora
                    : method == "full" ? TrainingMethod::full
                                       : TrainingMethod::none;
  training.lora.rank = read.integer("training.lora.rank");
  training.lora.alpha = read.number("training.lora.alpha");
  training.lora.dropout = read.number("training.lora.dropout");
  training.lora.targets = read.with(read_targets, "training.lora.targets");
  training.epochs = read.integer("training.epochs");
  training.global_batch = read.integer("training.global_batch");
  training.micro_batch_tokens = read.integer("training.micro_batch_tokens");
  training.prefix_sharing = read.boolean("training.prefix_sharing");
  const std::string checkpointing = read.text("training.activation_checkpointing");
  training.activation_checkpointing = checkpointing == "full"        ? ActivationCheckpointing::full
                                      : checkpointing == "selective" ? ActivationCheckpointing::selective
                                                                     : ActivationCheckpointing::none;
  training.prompt_weight = read.number("training.loss.prompt_weight");
  training.optimizer.lr = read.number("training.optimizer.lr");
  const auto betas = read.with(read_number_pair, "training.optimizer.betas");
  training.optimizer.beta1 = betas[0];
  training.optimizer.beta2 = betas[1];
  training.optimizer.weight_decay = read.number("training.optimizer.weight_decay");
  training.optimizer.eps = read.number("training.optimizer.eps");
  training.optimizer.clip_norm = read.number("training.optimizer.clip_norm");
  training.schedule.warmup_steps = read.integer("training.schedule.warmup_steps");
  const std::string decay = read.text("training.schedule.decay");
  training.schedule.decay = decay == "linear"   ? ScheduleOptions::Decay::linear
                            : decay == "cosine" ? ScheduleOptions::Decay::cosine
                                                : ScheduleOptions::Decay::constant;
  training.schedule.final_fraction = read.number("training.schedule.final_fraction");
  training.max_tokens = read.integer("training.max_tokens");
  training.skip_too_long = read.text("training.on_too_long") == "skip";
  training.evaluate_every = read.with(read_frequency, "training.evaluate_every");
  training.keep_best = read.text("training.keep_best");
  return training;
}

Recipe make_recipe(const Settings& settings) {
  const Reader read(settings);
  Recipe recipe;
  recipe.name = read.text("name");
  recipe.output = read.text("output");
  recipe.seed = static_cast<std::uint64_t>(read.integer("seed"));
  recipe.model = {.path = read.text("model.path"),
                  .init = read.text("model.init"),
                  .preset = read.text("model.preset"),
                  .adapter = read.text("model.adapter"),
                  .dtype = read.text("model.dtype"),
                  .chat = read.text("model.chat")};
  recipe.data = read_data(read);
  recipe.labels = read.with(read_labels, "labels");
  recipe.label_map = read.with(read_label_map, "label_map");
  recipe.task.format = read.text("task.format");
  recipe.task.prompt = read.with(read_prompt, "task.prompt");
  recipe.task.label_list_variants = read.integer("task.label_list_variants");
  recipe.training = read_training(read);
  recipe.generation.options.max_new_tokens = read.integer("generation.max_new_tokens");
  recipe.generation.options.batch_tokens = read.integer("generation.batch_tokens");
  recipe.generation.options.constrain = read.text("generation.constrain") == "format";
  recipe.generation.options.draft = read.text("generation.draft") == "input";
  recipe.generation.write_predictions = read.boolean("generation.write_predictions");
  recipe.parallel.data = read.integer("parallel.data");
  recipe.parallel.tensor = read.integer("parallel.tensor");
  recipe.parallel.sequence = read.boolean("parallel.sequence");
  recipe.parallel.zero = read.integer("parallel.zero");
  recipe.parallel.transport = read.text("parallel.transport");
  recipe.parallel.deterministic = read.boolean("parallel.deterministic");
  recipe.checkpoint = {.every = read.with(read_frequency, "checkpoint.every"),
                       .keep = read.integer("checkpoint.keep"),
                       .resume = read.text("checkpoint.resume")};
  recipe.export_as = read.text("export");
  recipe.metrics = {.enabled = read.boolean("telemetry.metrics.enabled"),
                    .bind = read.text("telemetry.metrics.bind"),
                    .port = static_cast<int>(read.integer("telemetry.metrics.port")),
                    .targets_file = read.text("telemetry.metrics.targets_file")};
  recipe.gpu_hour_price_usd = read.number("telemetry.gpu_hour_price_usd");
  recipe.watchdog = {.collective_seconds = read.integer("watchdog.collective_seconds"),
                     .step_seconds = read.integer("watchdog.step_seconds")};
  recipe.evaluation.splits = read.with(read_names, "evaluation.splits");
  recipe.evaluation.bootstrap = read.integer("evaluation.bootstrap");
  recipe.evaluation.baseline = read.text("evaluation.baseline");
  recipe.study = read.with(read_study, "study");
  return recipe;
}

std::string read_file(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file)) {
    throw InputError(
        fmt::format("{}: expected a recipe file, found none; the shipped ones are in recipes/", file.string()));
  }
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream && !stream.eof()) throw InputError(file.string() + ": cannot be read");
  return text;
}

}  // namespace

Settings read_settings(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  Settings settings(file.string());
  settings.read_document(parse_yaml(read_file(file), file.string()));
  for (const std::string& text : overrides) settings.apply_override(text);
  settings.complete();
  return settings;
}

LoadedRecipe finish_recipe(const Settings& settings, const LoadOptions& options) {
  LoadedRecipe loaded{make_recipe(settings), settings.keys(), settings.to_yaml()};
  validate(loaded.recipe, settings, options);
  return loaded;
}

LoadedRecipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                         const LoadOptions& options) {
  return finish_recipe(read_settings(file, overrides), options);
}

}  // namespace entune
