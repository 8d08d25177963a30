#include "trainer/loop/trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <stdexcept>

#include "trainer/optim/gradient_norm.h"

namespace entune {
namespace {

std::vector<at::Tensor> select(DecoderModel& model, bool (*wanted)(const Parameter&)) {
  std::vector<at::Tensor> chosen;
  for (Parameter& parameter : model.parameters()) {
    if (parameter.value.requires_grad() && wanted(parameter)) chosen.push_back(parameter.value);
  }
  return chosen;
}

bool is_sharded(const Parameter& p) { return p.shard.dim >= 0; }
bool is_replicated(const Parameter& p) { return p.shard.dim < 0; }
bool is_partial(const Parameter& p) { return p.partial_gradient; }

std::vector<at::Tensor> gradients_of(const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters) gradients.push_back(parameter.grad());
  return gradients;
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
      trained_(model.trainable_parameters()),
      sharded_(select(model, is_sharded)),
      replicated_(select(model, is_replicated)),
      optimizer_(trained_, options.optimizer),
      partial_reducer_(select(model, is_partial), mesh.axis(MeshAxis::tensor)),
      data_reducer_(trained_, mesh.axis(MeshAxis::data)) {}

StepRecord Trainer::run_step() {
  const auto begin = std::chrono::steady_clock::now();
  enter(StepPhase::data);
  const StepBatches work = loader_.load(step_ / loader_.steps_per_epoch(), step_ % loader_.steps_per_epoch());

  model_.set_training(true);
  double loss_sum = 0.0;
  for (const PackedBatch& micro_batch : work.micro_batches) {
    enter(StepPhase::forward);
    const at::Tensor loss = model_.loss_sum(micro_batch, &mesh_.axis(MeshAxis::data));
    enter(StepPhase::backward);
    loss.backward();
    loss_sum += loss.item<float>();
  }
  enter(StepPhase::optimizer);
  partial_reducer_.reduce();
  data_reducer_.reduce();

  StepRecord record = agree(work, loss_sum);
  for (const at::Tensor& gradient : gradients_of(trained_)) gradient.div_(work.weight_sum);
  record.gradient_norm = clip_gradient_norm(gradients_of(sharded_), gradients_of(replicated_),
                                            options_.optimizer.clip_norm, mesh_.axis(MeshAxis::tensor));
  record.learning_rate = options_.optimizer.lr * learning_rate_factor(options_.schedule, step_, total_steps_);
  optimizer_.step(record.learning_rate);
  optimizer_.zero_grad();
  ++step_;
  if (timer_ != nullptr) timer_->leave();
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return record;
}

StepRecord Trainer::agree(const StepBatches& work, double loss_sum) const {
  Communicator& data = mesh_.axis(MeshAxis::data);
  StepRecord record;
  record.step = step_ + 1;
  record.epoch = step_ / loader_.steps_per_epoch() + 1;
  record.loss = sum_over(data, loss_sum) / work.weight_sum;
  if (!std::isfinite(record.loss)) {
    throw std::runtime_error(fmt::format("step {}: the loss is {}; lower training.optimizer.lr or look at the data",
                                         record.step, record.loss));
  }
  at::Tensor counts =
      at::tensor({work.num_samples, work.tokens.logical, work.tokens.executed, work.tokens.supervised}, at::kLong);
  data.all_reduce(counts, ReduceOp::sum);
  record.samples = counts[0].item<std::int64_t>();
  record.logical_tokens = counts[1].item<std::int64_t>();
  record.executed_tokens = counts[2].item<std::int64_t>();
  record.supervised_tokens = counts[3].item<std::int64_t>();
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
  for (const PackedBatch& micro_batch : work.micro_batches)
    loss_sum += model.loss_sum(micro_batch, &data).item<float>();
  return sum_over(data, loss_sum) / work.weight_sum;
}

}  // namespace entune
