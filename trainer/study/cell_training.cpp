#include "trainer/study/cell_training.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "data/input_error.h"
#include "data/scoring/score_report.h"
#include "trainer/evaluate/evaluator.h"
#include "trainer/loop/best_weights.h"
#include "trainer/loop/checkpoint_store.h"
#include "trainer/loop/device_memory.h"
#include "trainer/loop/early_end.h"
#include "trainer/loop/rank_files.h"
#include "trainer/loop/trainer.h"
#include "trainer/study/resume_identity.h"
#include "trainer/telemetry/progress.h"
#include "trainer/telemetry/step_log.h"
#include "trainer/weights/gathered_writer.h"
#include "trainer/weights/output_file.h"
#include "trainer/weights/strict_json.h"

namespace entune {
namespace {

using nlohmann::json;

constexpr const char* kStateFile = "state.json";

bool is_due(const Frequency& frequency, const Trainer& trainer) {
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
    const RunMetrics::InPhase timed(metrics, RunMetrics::Apart::evaluation);
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

namespace {

// Of a save that failed the run goes on to the next; these many in a row end it.
constexpr int kMaxFailedSaves = 3;
constexpr int kMaxSkippedInRow = 3;

double number_or_nan(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

/// The training of one cell, from its start or from a checkpoint.
class CellTraining {
 public:
  CellTraining(const StudyCell& cell, const CellSetup& setup, const CellData& data, const AnswerBudget& budget,
               DecoderModel& model, DeviceMesh& mesh, const std::filesystem::path& directory, RunMetrics& metrics)
      : cell_(cell),
        recipe_(cell.loaded.recipe),
        data_(data),
        mesh_(mesh),
        metrics_(metrics),
        identity_(first_rank() ? resume_identity(cell.loaded) : json()),
        samples_(training_samples(recipe_, setup, data.train)),
        loader_(samples_, batch_options(recipe_), recipe_.seed, mesh.axis(MeshAxis::data).rank(),
                mesh.axis(MeshAxis::data).size()),
        trainer_(model, loader_, mesh, trainer_options(recipe_)),
        validation_(cell, setup, data, budget, model, mesh),
        best_(model),
        store_(directory / "checkpoints", recipe_.checkpoint.keep, mesh.world()) {
    resume();
    log_.emplace(first_rank() ? directory / "steps.jsonl" : std::filesystem::path(), trainer_.steps_done(),
                 last_validation());
  }

  json run() {
    metrics_.begin_training(trainer_, mesh_.device());
    reset_peak_memory(mesh_.device());
    const std::int64_t done_before = trainer_.steps_done();  // not in the rate
    Progress progress("training " + cell_.name, trainer_.total_steps() - done_before, "steps", first_rank());
    // A run that was asked to stop saved before its evaluation.
    validate_if_due();
    while (!trainer_.done()) {
      const StepRecord step = trainer_.run_step();
      record(step);
      progress.update(step.step - done_before, step.skipped ? "skipped" : fmt::format("loss {:.4f}", step.loss));
      if (trainer_.asked_to_stop()) save_and_leave();
      validate_if_due();
      // What is saved while steps are skipped may push out the last checkpoint that is good.
      if (!step.skipped && is_due(recipe_.checkpoint.every, trainer_)) save_or_go_on();
    }
    metrics_.end_training();
    best_.restore();
    return result();
  }

 private:
  bool first_rank() const { return mesh_.world().rank() == 0; }
  std::int64_t last_validation() const {
    return validations_.empty() ? 0 : validations_.back()["step"].get<std::int64_t>();
  }

  void record(const StepRecord& step) {
    log_->write(step);
    metrics_.record(step);
    seconds_ += step.seconds;
    num_samples_ += step.samples;
    add_tokens(tokens_, step);
    if (step.skipped) {
      report_skipped(step);
      return;
    }
    losses_.push_back({{"step", step.step}, {"epoch", step.epoch}, {"loss", step.loss}, {"lr", step.learning_rate}});
  }

  void report_skipped(const StepRecord& step) {
    const std::int64_t at = step.step - 1, steps = loader_.steps_per_epoch();
    std::vector<std::string> ids;
    for (const std::size_t sample : loader_.sample_order(at / steps, at % steps)) ids.push_back(data_.train[sample].id);
    const std::string what =
        fmt::format("step {}: loss {}, gradient norm {}", step.step, step.loss, step.gradient_norm);
    if (first_rank()) fmt::print(stderr, "{}: not applied; the samples were {}\n", what, fmt::join(ids, ", "));
    if (trainer_.progress().skipped_in_row < kMaxSkippedInRow) return;
    throw EarlyEnd(EarlyEnd::not_finite,
                   fmt::format("{}; {} steps in a row were not finite; the last good checkpoint is {}; lower "
                               "training.optimizer.lr or look at the data",
                               what, kMaxSkippedInRow, store_.last().empty() ? "none" : store_.last().string()));
  }

  void validate_if_due() {
    if (trainer_.steps_done() == last_validation() || !validation_.possible() ||
        !is_due(recipe_.training.evaluate_every, trainer_)) {
      return;
    }
    ValidationRecord record = validation_.run(trainer_.steps_done(), metrics_);
    record.best = best_.offer(recipe_.training.keep_best == "strict_f1" ? record.strict_f1 : 0.0, record.loss);
    log_->write(record);
    validations_.push_back(
        {{"step", record.step}, {"loss", record.loss}, {"strict_f1", record.strict_f1}, {"best", record.best}});
  }

  /// state.json: all but the tensors and the order of samples, which follows from seed and step.
  json state() const {
    const TrainerProgress progress = trainer_.progress();
    json best;
    if (!best_.kept().empty()) best = {best_.standing().first, best_.standing().second};
    return {{"step", progress.steps_done},
            {"skipped", progress.num_skipped},
            {"skipped_in_row", progress.skipped_in_row},
            {"total_steps", trainer_.total_steps()},
            {"num_samples", samples_.size()},
            {"identity", identity_},
            {"seconds", seconds_},
            {"samples", num_samples_},
            {"tokens", {tokens_.logical, tokens_.executed, tokens_.supervised}},
            {"losses", losses_},
            {"validation", validations_},
            {"best", best}};
  }

  void save() {
    const RunMetrics::InPhase timed(metrics_, RunMetrics::Apart::checkpoint);
    const RankState state = rank_state(trainer_, mesh_, best_.kept());
    const std::int64_t bytes =
        store_.save(trainer_.steps_done(), state.layout, [&](const std::filesystem::path& staged) {
          std::vector<std::string> files = write_rank_files(staged, state);
          if (first_rank()) {
            write_text_file(staged / kStateFile, this->state().dump() + "\n");
            files.push_back(kStateFile);
          }
          return files;
        });
    metrics_.record_checkpoint(bytes);
  }

  void save_or_go_on() {
    try {
      save();
      num_failed_saves_ = 0;
    } catch (const std::runtime_error& error) {
      metrics_.record_failed_checkpoint();
      if (++num_failed_saves_ == kMaxFailedSaves) throw;
      if (first_rank()) fmt::print(stderr, "warning: {}; training goes on\n", error.what());
    }
  }

  [[noreturn]] void save_and_leave() {
    save();
    metrics_.record_stop();
    throw EarlyEnd(
        EarlyEnd::saved,
        fmt::format("asked to stop: step {} of {} is saved in {}; the same command with --resume auto goes on",
                    trainer_.steps_done(), trainer_.total_steps(), store_.last().string()));
  }

  void resume() {
    const std::string& from = recipe_.checkpoint.resume;
    if (from == "none") return;
    const RunMetrics::InPhase timed(metrics_, RunMetrics::Apart::checkpoint);
    const std::optional<CheckpointStore::Found> found =
        from == "auto" ? store_.find_newest() : std::optional(store_.find(from));
    if (!found) return;
    const json saved = read_strict_json(found->path / kStateFile);
    try {
      on_rank_zero(mesh_.world(), [&] { require_same_identity(saved.at("identity"), identity_, found->path); });
      take_over(saved, *found);
    } catch (const json::exception&) {
      throw InputError(fmt::format("{}: expected the state of a training, found another object",
                                   (found->path / kStateFile).string()));
    }
    metrics_.record_restore(timed.seconds());
    if (first_rank()) {
      fmt::print("resumed from {}: step {} of {}\n", found->path.string(), trainer_.steps_done(),
                 trainer_.total_steps());
    }
  }

  void take_over(const json& saved, const CheckpointStore::Found& found) {
    if (saved.at("num_samples") != samples_.size() || saved.at("total_steps") != trainer_.total_steps()) {
      throw InputError(fmt::format("{}: expected {} samples and {} steps as in the checkpoint, found {} and {}",
                                   found.path.string(), saved.at("num_samples").dump(), saved.at("total_steps").dump(),
                                   samples_.size(), trainer_.total_steps()));
    }
    RankState state = rank_state(trainer_, mesh_, {});
    const json& best = saved.at("best");
    for (std::size_t i = 0; !best.is_null() && i < state.parameters.size(); ++i)
      state.best.push_back(at::empty_like(state.parameters[i].value.detach()));
    read_rank_files(found.path, found.manifest.layout, state);
    if (!best.is_null()) best_.resume(std::move(state.best), {number_or_nan(best.at(0)), number_or_nan(best.at(1))});
    trainer_.resume({saved.at("step"), saved.at("skipped"), saved.at("skipped_in_row")});
    seconds_ = saved.at("seconds");
    num_samples_ = saved.at("samples");
    tokens_ = {saved.at("tokens").at(0), saved.at("tokens").at(1), saved.at("tokens").at(2)};
    losses_ = saved.at("losses");
    validations_ = saved.at("validation");
  }

  json result() {
    const double peak =
        over_ranks(mesh_.world(), static_cast<double>(peak_memory_bytes(mesh_.device())), ReduceOp::max);
    return {
        {"seconds", seconds_},
        {"samples", num_samples_},
        {"samples_per_second", seconds_ > 0 ? static_cast<double>(num_samples_) / seconds_ : 0.0},
        {"steps", trainer_.total_steps()},
        {"skipped_steps", trainer_.progress().num_skipped},
        {"tokens", {{"logical", tokens_.logical}, {"executed", tokens_.executed}, {"supervised", tokens_.supervised}}},
        {"peak_memory_bytes", static_cast<std::int64_t>(peak)},
        {"losses", losses_},
        {"validation", validations_}};
  }

  const StudyCell& cell_;
  const Recipe& recipe_;
  const CellData& data_;
  DeviceMesh& mesh_;
  RunMetrics& metrics_;
  const json identity_;  // rank 0's
  const std::vector<TrainingSample> samples_;
  const BatchLoader loader_;
  Trainer trainer_;
  Validation validation_;
  BestWeights best_;
  CheckpointStore store_;
  std::optional<StepLog> log_;
  json losses_ = json::array(), validations_ = json::array();
  double seconds_ = 0.0;
  std::int64_t num_samples_ = 0;
  TokenCounts tokens_;
  int num_failed_saves_ = 0;
};

}  // namespace

json train_cell(const StudyCell& cell, const CellSetup& setup, const CellData& data, const AnswerBudget& budget,
                DecoderModel& model, DeviceMesh& mesh, const std::filesystem::path& directory, RunMetrics& metrics) {
  return CellTraining(cell, setup, data, budget, model, mesh, directory, metrics).run();
}

}  // namespace entune
