#include "trainer/loop/trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <cmath>

#include "trainer/loop/stop_signal.h"
#include "trainer/optim/gradient_norm.h"
#include "trainer/telemetry/pulse.h"

namespace entune {
namespace {

// Passes are numbered from the step's own number on: what dropout drops does not depend on where a run was resumed.
constexpr int kPassBits = 32;

/// How the tensor axis holds a parameter and its gradient: what shares a bucket.
enum Kind { kSharded, kReplicated, kPartial };

Kind kind_of(const Parameter& parameter) {
  if (parameter.shard.dim >= 0) return kSharded;
  return parameter.partial_gradient ? kPartial : kReplicated;
}

Phase phase_of(StepPhase phase) {
  switch (phase) {
    case StepPhase::data:
      return Phase::data;
    case StepPhase::forward:
      return Phase::forward;
    case StepPhase::backward:
      return Phase::backward;
    case StepPhase::optimizer:
      return Phase::optimizer;
    case StepPhase::communication:
      break;
  }
  return Phase::communication;
}

std::vector<AdamW::Part> optimizer_parts(const ParameterBuckets& buckets) {
  std::vector<AdamW::Part> parts;
  for (const ParameterBuckets::Part& part : buckets.parts()) parts.push_back({part.value, part.gradient});
  return parts;
}

double sum_over(Communicator& group, double value) {
  at::Tensor cell = at::full({1}, value, at::kFloat);
  group.all_reduce(cell, ReduceOp::sum);
  return cell.item<float>();
}

}  // namespace

Trainer::Trainer(DecoderModel& model, const BatchLoader& loader, DeviceMesh& mesh, const TrainerOptions& options)
    : model_(model),
      loader_(loader),
      mesh_(mesh),
      options_(options),
      total_steps_(options.epochs * loader.steps_per_epoch()),
      buckets_(make_buckets()),
      optimizer_(optimizer_parts(buckets_), options.optimizer) {
  await_before_use();
}

Trainer::~Trainer() { model_.before_use(nullptr); }

ParameterBuckets Trainer::make_buckets() {
  std::vector<BucketedParameter> trained;
  for (const Parameter& parameter : trained_parameters()) trained.push_back({parameter.value, kind_of(parameter)});
  Communicator& data = mesh_.axis(MeshAxis::data);
  const bool overlap = options_.overlap.value_or(!mesh_.device().is_cpu()) && data.size() > 1;
  if (overlap) bucket_group_ = mesh_.beside(MeshAxis::data);
  return ParameterBuckets(
      trained, overlap ? *bucket_group_ : data,
      {.shard = options_.shard_optimizer, .bucket_bytes = options_.bucket_bytes, .overlap = overlap});
}

void Trainer::await_before_use() {
  std::vector<std::size_t> num_trained = {0};  // among the model's first parameters
  for (const Parameter& parameter : model_.parameters())
    num_trained.push_back(num_trained.back() + (parameter.value.requires_grad() ? 1 : 0));
  model_.before_use([this, num_trained](std::size_t begin, std::size_t end) {
    buckets_.await(num_trained[begin], num_trained[end]);
  });
}

std::vector<Parameter> Trainer::trained_parameters() const {
  std::vector<Parameter> trained;
  for (const Parameter& parameter : model_.parameters()) {
    if (parameter.value.requires_grad()) trained.push_back(parameter);
  }
  return trained;
}

std::vector<Trainer::Part> Trainer::parts() const {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < optimizer_.states().size(); ++i)
    parts.push_back({optimizer_.states()[i], buckets_.pieces(i)});
  return parts;
}

void Trainer::resume(const TrainerProgress& progress) {
  progress_ = progress;
  optimizer_.resume(progress.steps_done - progress.num_skipped);
  buckets_.gather();
}

void Trainer::enter(StepPhase phase) {
  enter_phase(phase_of(phase));
  if (timer_ != nullptr) timer_->enter(phase);
}

StepRecord Trainer::run_step() {
  const auto begin = std::chrono::steady_clock::now();
  const std::int64_t step = steps_done();
  enter_step(step + 1);
  enter(StepPhase::data);
  const StepBatches work = loader_.load(step / loader_.steps_per_epoch(), step % loader_.steps_per_epoch());

  model_.set_training(true);
  model_.count_passes_from(static_cast<std::uint64_t>(step) << kPassBits);
  buckets_.zero_gradients();
  double loss_sum = 0.0;
  for (std::size_t i = 0; i < work.micro_batches.size(); ++i) {
    enter(StepPhase::forward);
    const at::Tensor loss = model_.loss_sum(work.micro_batches[i], &mesh_.axis(MeshAxis::data));
    enter(StepPhase::backward);
    if (i + 1 == work.micro_batches.size()) buckets_.expect_last_backward();
    loss.backward();
    loss_sum += loss.item<float>();
  }
  enter(StepPhase::communication);
  reduce_gradients();
  enter(StepPhase::optimizer);

  StepRecord record = agree(work, loss_sum);
  record.learning_rate = options_.optimizer.lr * learning_rate_factor(options_.schedule, step, total_steps_);
  ++progress_.steps_done;
  if (record.skipped) {
    ++progress_.num_skipped;
    ++progress_.skipped_in_row;
  } else {
    progress_.skipped_in_row = 0;
    optimizer_.step(record.learning_rate,
                    clip_factor(record.gradient_norm, options_.optimizer.clip_norm) / work.weight_sum);
    enter(StepPhase::communication);
    buckets_.gather();
  }
  if (timer_ != nullptr) timer_->leave();
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return record;
}

void Trainer::reduce_gradients() {
  buckets_.reduce();
  Communicator& tensor = mesh_.axis(MeshAxis::tensor);
  if (tensor.size() == 1) return;
  for (const ParameterBuckets::Part& part : buckets_.parts()) {
    at::Tensor gradient = part.gradient;
    if (part.kind == kPartial) tensor.all_reduce(gradient, ReduceOp::sum);
  }
}

double Trainer::gradient_norm() const {
  HeldGradients held;
  for (const ParameterBuckets::Part& part : buckets_.parts())
    (part.kind == kSharded ? held.sharded : held.replicated).push_back(part.gradient);
  return global_gradient_norm(held, buckets_.sharded() ? &mesh_.axis(MeshAxis::data) : nullptr,
                              mesh_.axis(MeshAxis::tensor));
}

StepRecord Trainer::agree(const StepBatches& work, double loss_sum) {
  Communicator &data = mesh_.axis(MeshAxis::data), &tensor = mesh_.axis(MeshAxis::tensor);
  StepRecord record;
  record.step = steps_done() + 1;
  record.epoch = steps_done() / loader_.steps_per_epoch() + 1;
  record.loss = sum_over(data, loss_sum) / work.weight_sum;
  record.gradient_norm = gradient_norm() / work.weight_sum;
  const std::int64_t is_bad = std::isfinite(record.loss) && std::isfinite(record.gradient_norm) ? 0 : 1;
  const std::int64_t stop = stop_requested() ? 1 : 0;
  at::Tensor counts = at::tensor(
      {work.num_samples, work.tokens.logical, work.tokens.executed, work.tokens.supervised, is_bad, stop}, at::kLong);
  data.all_reduce(counts, ReduceOp::sum);
  if (tensor.size() > 1) tensor.all_reduce(counts, ReduceOp::max);  // the signal may have met one rank alone
  record.samples = counts[0].item<std::int64_t>();
  record.logical_tokens = counts[1].item<std::int64_t>();
  record.executed_tokens = counts[2].item<std::int64_t>();
  record.supervised_tokens = counts[3].item<std::int64_t>();
  record.skipped = counts[4].item<std::int64_t>() > 0;
  asked_to_stop_ = counts[5].item<std::int64_t>() > 0;
  return record;
}

double mean_loss(DecoderModel& model, const std::vector<TrainingSample>& samples, const BatchOptions& options,
                 DeviceMesh& mesh) {
  if (samples.empty()) return 0.0;
  Communicator& data = mesh.axis(MeshAxis::data);
  BatchOptions whole = options;
  whole.global_batch = static_cast<std::int64_t>(samples.size());
  const BatchLoader loader(samples, whole, 0, data.rank(), data.size());
  const StepBatches work = loader.load(0, 0);
  model.set_training(false);
  const at::NoGradGuard no_grad;
  double loss_sum = 0.0;
  for (const PackedBatch& micro_batch : work.micro_batches) {
    loss_sum += model.loss_sum(micro_batch, &data).item<float>();
    beat();
  }
  return sum_over(data, loss_sum) / work.weight_sum;
}

}  // namespace entune
