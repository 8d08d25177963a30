#include "trainer/study/cell_training.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/scoring/score_report.h"
#include "trainer/evaluate/evaluator.h"
#include "trainer/loop/best_weights.h"
#include "trainer/loop/device_memory.h"
#include "trainer/loop/trainer.h"
#include "trainer/telemetry/progress.h"
#include "trainer/telemetry/step_log.h"

namespace entune {
namespace {

using nlohmann::json;

bool evaluation_is_due(const Frequency& frequency, const Trainer& trainer) {
  switch (frequency.kind) {
    case Frequency::Kind::none:
      return false;
    case Frequency::Kind::epoch:
      return trainer.at_epoch_end();
    case Frequency::Kind::steps:
      return trainer.steps_done() % frequency.steps == 0 || trainer.done();
  }
  return false;
}

// Loss and score on the validation side during training.
class Validation {
 public:
  Validation(const StudyCell& cell, const CellSetup& setup, const CellData& data, const AnswerBudget& budget,
             DecoderModel& model, DeviceMesh& mesh)
      : recipe_(cell.loaded.recipe), task_(*setup.task), examples_(data.validation), model_(model), mesh_(mesh) {
    for (const Example& example : examples_) samples_.push_back({task_.with_answer(example), 0});
    options_.generation = recipe_.generation.options;
    options_.budget = budget;
    options_.progress = "answering validation";
  }

  bool possible() const { return !examples_.empty(); }

  ValidationRecord run(std::int64_t step, RunMetrics& metrics) {
    const RunMetrics::Evaluating timed(metrics);
    const double loss = mean_loss(model_, samples_, batch_options(recipe_), mesh_);
    const EvaluationResult answered = evaluate(model_, task_, examples_, mesh_, options_);
    if (mesh_.world().rank() == 0) {
      metrics.record_validation_loss(loss);
      metrics.record_answers("validation", answered,
                             score_report(answered.documents, recipe_.labels, {.bootstrap_samples = 0}));
    }
    return {.step = step, .loss = loss, .strict_f1 = strict_f1(answered.documents), .best = false};
  }

 private:
  const Recipe& recipe_;
  const AnswerTask& task_;
  const std::vector<Example>& examples_;
  DecoderModel& model_;
  DeviceMesh& mesh_;
  std::vector<TrainingSample> samples_;
  EvaluationOptions options_;
};

}  // namespace

BatchOptions batch_options(const Recipe& recipe) {
  return {.global_batch = recipe.training.global_batch,
          .micro_batch_tokens = recipe.training.micro_batch_tokens,
          .prefix_sharing = recipe.training.prefix_sharing,
          .prompt_weight = recipe.training.prompt_weight};
}

TrainerOptions trainer_options(const Recipe& recipe) {
  return {.epochs = recipe.training.epochs,
          .optimizer = recipe.training.optimizer,
          .schedule = recipe.training.schedule,
          .shard_optimizer = recipe.parallel.zero == 1};
}

void add_tokens(TokenCounts& counts, const StepRecord& step) {
  counts.logical += step.logical_tokens;
  counts.executed += step.executed_tokens;
  counts.supervised += step.supervised_tokens;
}

json train_cell(const StudyCell& cell, const CellSetup& setup, const CellData& data, const AnswerBudget& budget,
                DecoderModel& model, DeviceMesh& mesh, const std::filesystem::path& directory, RunMetrics& metrics) {
  const Recipe& recipe = cell.loaded.recipe;
  const bool first_rank = mesh.world().rank() == 0;
  Communicator& data_axis = mesh.axis(MeshAxis::data);
  const std::vector<TrainingSample> samples = training_samples(recipe, setup, data.train);
  const BatchLoader loader(samples, batch_options(recipe), recipe.seed, data_axis.rank(), data_axis.size());
  Trainer trainer(model, loader, mesh, trainer_options(recipe));
  metrics.begin_training(trainer, mesh.device());
  Validation validation(cell, setup, data, budget, model, mesh);
  BestWeights best(model);
  StepLog log(first_rank ? directory / "steps.jsonl" : std::filesystem::path());

  json losses = json::array();
  json validations = json::array();
  double seconds = 0.0;
  std::int64_t num_samples = 0;
  TokenCounts tokens;
  reset_peak_memory(mesh.device());
  Progress progress("training " + cell.name, trainer.total_steps(), "steps", first_rank);
  while (!trainer.done()) {
    const StepRecord step = trainer.run_step();
    log.write(step);
    metrics.record(step);
    progress.update(step.step, fmt::format("loss {:.4f}", step.loss));
    seconds += step.seconds;
    num_samples += step.samples;
    add_tokens(tokens, step);
    losses.push_back({{"step", step.step}, {"epoch", step.epoch}, {"loss", step.loss}, {"lr", step.learning_rate}});
    if (!validation.possible() || !evaluation_is_due(recipe.training.evaluate_every, trainer)) continue;
    ValidationRecord record = validation.run(step.step, metrics);
    record.best = best.offer(recipe.training.keep_best == "strict_f1" ? record.strict_f1 : 0.0, record.loss);
    log.write(record);
    validations.push_back(
        {{"step", record.step}, {"loss", record.loss}, {"strict_f1", record.strict_f1}, {"best", record.best}});
  }
  metrics.end_training();
  best.restore();
  return {
      {"seconds", seconds},
      {"samples", num_samples},
      {"samples_per_second", seconds > 0 ? static_cast<double>(num_samples) / seconds : 0.0},
      {"steps", trainer.total_steps()},
      {"tokens", {{"logical", tokens.logical}, {"executed", tokens.executed}, {"supervised", tokens.supervised}}},
      {"peak_memory_bytes", static_cast<std::int64_t>(over_ranks(
                                mesh.world(), static_cast<double>(peak_memory_bytes(mesh.device())), ReduceOp::max))},
      {"losses", losses},
      {"validation", validations}};
}

}  // namespace entune
