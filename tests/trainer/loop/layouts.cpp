#include "tests/trainer/loop/layouts.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "data/random.h"
#include "distributed/device_mesh.h"
#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/model/small_models.h"
#include "trainer/loop/trainer.h"

namespace entune::test {
namespace {

constexpr std::int64_t kVocabulary = 101;  // odd: the vocabulary does not divide by any tensor size

LlamaConfig tiny_config() {
  LlamaConfig config;
  config.vocab_size = kVocabulary;
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_layers = 2;
  config.num_heads = 8;
  config.num_kv_heads = 4;
  config.head_dim = 8;
  config.tie_word_embeddings = true;
  config.initializer_range = 0.2;
  return config;
}

}  // namespace

std::vector<TrainingSample> random_samples(int count, std::int64_t vocab_size) {
  Random random(7);
  const auto tokens = [&](std::int64_t count) {
    std::vector<TokenId> ids;
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>(random.below(vocab_size)));
    return ids;
  };
  const std::vector<TokenId> prefix = tokens(9);
  std::vector<TrainingSample> samples;
  for (int i = 0; i < count; ++i) {
    TrainingSample sample;
    sample.tokens.ids = prefix;
    const std::vector<TokenId> rest = tokens(random.between(4, 15));
    sample.tokens.ids.insert(sample.tokens.ids.end(), rest.begin(), rest.end());
    sample.tokens.answer_start = static_cast<std::int64_t>(sample.tokens.ids.size()) - random.between(1, 3);
    samples.push_back(std::move(sample));
  }
  return samples;
}

void reduce_partial_gradients(DecoderModel& model, Communicator& tensor_axis) {
  std::vector<at::Tensor> partial;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.value.requires_grad() && parameter.partial_gradient) partial.push_back(parameter.value);
  }
  GradientReducer(partial, tensor_axis).reduce();
}

at::Tensor whole_gradient(const Parameter& parameter, Communicator& tensor_axis) {
  const at::Tensor part = parameter.value.grad().to(at::kFloat).contiguous();
  if (parameter.shard.dim < 0) return part.clone();
  const at::Tensor rows = part.movedim(parameter.shard.dim, 0).contiguous();
  std::vector<std::int64_t> shape = rows.sizes().vec();
  shape[0] *= tensor_axis.size();
  at::Tensor all = at::empty(shape, at::kFloat);
  tensor_axis.all_gather(all, rows);
  const std::int64_t full = parameter.full_shape[static_cast<std::size_t>(parameter.shard.dim)];
  return all.narrow(0, 0, full).movedim(0, parameter.shard.dim).contiguous();
}

namespace {

std::map<std::string, at::Tensor> first_gradients(DecoderModel& model, const BatchLoader& loader, DeviceMesh& mesh) {
  const StepBatches work = loader.load(0, 0);
  for (const PackedBatch& micro_batch : work.micro_batches)
    model.loss_sum(micro_batch, &mesh.axis(MeshAxis::data)).backward();
  reduce_partial_gradients(model, mesh.axis(MeshAxis::tensor));
  GradientReducer(model.trainable_parameters(), mesh.axis(MeshAxis::data), 1 << 12).reduce();
  std::map<std::string, at::Tensor> gradients;
  for (Parameter& parameter : model.parameters()) {
    if (!parameter.value.requires_grad()) continue;
    gradients[parameter.name] = whole_gradient(parameter, mesh.axis(MeshAxis::tensor)).div_(work.weight_sum);
    parameter.value.mutable_grad() = at::Tensor();
  }
  return gradients;
}

}  // namespace

TrainingTrace train_tiny_model(Communicator& world, const LayoutCase& layout) {
  DeviceMesh mesh(world, layout.data, layout.tensor);
  ModelOptions options = layout.full ? full_training() : lora_training();
  options.checkpointing = layout.checkpointing;
  options.sequence_parallel = layout.sequence;
  DecoderModel model(tiny_config(), options, mesh.axis(MeshAxis::tensor));
  model.initialize_random(3);
  fill_adapters(model, 3);
  const std::vector<TrainingSample> samples = random_samples(13, kVocabulary);
  const BatchOptions batches{
      .global_batch = 8, .micro_batch_tokens = 48, .prefix_sharing = layout.prefix_sharing, .prompt_weight = 0.0};
  Communicator& data_axis = mesh.axis(MeshAxis::data);
  const BatchLoader loader(samples, batches, 5, data_axis.rank(), data_axis.size());

  TrainingTrace trace;
  for (const Parameter& parameter : model.parameters()) {
    const auto bytes = static_cast<std::int64_t>(parameter.value.nbytes());
    trace.parameter_bytes += bytes;
    if (parameter.shard.dim < 0) trace.replicated_bytes += bytes;
  }
  for (const PackedBatch& batch : loader.load(0, 0).micro_batches)
    trace.split_prefix = trace.split_prefix || batch.prefix_part.has_value();
  trace.gradients = first_gradients(model, loader, mesh);
  TrainerOptions training;
  training.epochs = 2;
  training.optimizer.lr = 1e-3;
  training.schedule.warmup_steps = 0;
  Trainer trainer(model, loader, mesh, training);
  std::map<std::string, at::Tensor> before;
  for (const Parameter& parameter : model.parameters()) before[parameter.name] = parameter.value.detach().clone();
  while (!trainer.done()) {
    const StepRecord record = trainer.run_step();
    for (const Parameter& parameter : model.parameters()) {
      if (record.step == 1 && parameter.value.requires_grad())
        trace.first_updates[parameter.name] = parameter.value.detach() - before[parameter.name];
    }
    trace.losses.push_back(record.loss);
    trace.gradient_norms.push_back(record.gradient_norm);
  }
  return trace;
}

std::string difference(const TrainingTrace& expected, const TrainingTrace& actual) {
  constexpr double kTolerance = 1e-5;
  if (expected.losses.size() != actual.losses.size()) return "number of steps";
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    if (std::abs(expected.losses[i] - actual.losses[i]) > kTolerance * expected.losses[i]) {
      return fmt::format("loss of step {}: {} and {}", i, expected.losses[i], actual.losses[i]);
    }
    // Adam divides by the gradient's own size: what differs in the last bits of step 1 grows; the first step is held
    // tightly below.
    const double norm_tolerance = i == 0 ? kTolerance : 1e-3;
    if (std::abs(expected.gradient_norms[i] - actual.gradient_norms[i]) > norm_tolerance * expected.gradient_norms[i]) {
      return fmt::format("gradient norm of step {}: {} and {}", i, expected.gradient_norms[i],
                         actual.gradient_norms[i]);
    }
  }
  for (const auto& [name, gradient] : expected.gradients) {
    const auto found = actual.gradients.find(name);
    if (found == actual.gradients.end()) return "no gradient of " + name;
    if (gradient.norm().item<double>() == 0.0) return "gradient of " + name + " is zero: nothing compared";
    if (relative_error(found->second, gradient) > kTolerance)
      return fmt::format("gradient of {}: {} of its norm", name, relative_error(found->second, gradient));
  }
  return "";
}

}  // namespace entune::test
