#include "trainer/plan/dry_run.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "trainer/kernels/meta_kernels.h"
#include "trainer/optim/adamw.h"
#include "trainer/optim/gradient_norm.h"
#include "trainer/optim/trained_parameters.h"
#include "trainer/plan/flop_plan.h"
#include "trainer/plan/held_bytes.h"
#include "trainer/plan/meta_operators.h"
#include "trainer/plan/planned_communicator.h"

namespace entune {
namespace {

constexpr std::int64_t kGpuGranularity = 512;

/// The axes of a mesh, seen by one rank, with their calls counted.
struct PlannedMesh {
  explicit PlannedMesh(const DryRunOptions& o) {
    time.times_gpu = false;
    data = counted(o.data_rank, o.data, !o.on_gpu, time.data);
    tensor = counted(o.tensor_rank, o.tensor, !o.on_gpu, time.tensor);
  }

  std::unique_ptr<Communicator> counted(int rank, int size, bool widens, CollectiveCounts& counts) {
    if (size == 1) return make_self_communicator();
    return make_timed_communicator(make_planned_communicator(rank, size, widens), time, counts);
  }

  CollectiveTime time;
  std::unique_ptr<Communicator> data, tensor;
};

std::vector<AdamW::Part> optimizer_parts(const ParameterBuckets& buckets) {
  std::vector<AdamW::Part> parts;
  for (const ParameterBuckets::Part& part : buckets.parts()) parts.push_back({part.value, part.gradient});
  return parts;
}

/// What Trainer::agree() moves: one number's sum, the squares of the gradients, the counts.
void agree(PlannedMesh& mesh, bool sharded) {
  const auto sum = [&](Communicator& group, std::int64_t count, at::ScalarType type) {
    at::Tensor cells = at::empty({count}, at::TensorOptions(at::kMeta).dtype(type));
    group.all_reduce(cells, ReduceOp::sum);
  };
  sum(*mesh.data, 1, at::kFloat);
  if (sharded) sum(*mesh.data, 2, at::kDouble);
  sum(*mesh.tensor, 1, at::kDouble);
  sum(*mesh.data, 6, at::kLong);
  if (mesh.tensor->size() > 1) sum(*mesh.tensor, 6, at::kLong);
}

/// One dry run.
class DryRun {
 public:
  explicit DryRun(const DryRunOptions& options)
      : options_(options), held_(options.on_gpu ? kGpuGranularity : 1), mesh_(options) {
    if (options.on_gpu) gpu_.emplace();
  }

  StepPlan run(const std::vector<PackedBatch>& micro_batches) {
    ModelOptions model_options = options_.model;
    model_options.device = at::kMeta;
    model_.emplace(options_.config, model_options, *mesh_.tensor);
    const std::vector<BucketedParameter> trained = bucketed_parameters(*model_);
    buckets_.emplace(trained, *mesh_.data,
                     BucketOptions{.shard = options_.shard_optimizer, .bucket_bytes = options_.bucket_bytes});
    const std::int64_t before_optimizer = bytes().held;
    AdamW optimizer(optimizer_parts(*buckets_), {});
    plan_.memory.optimizer = bytes().held - before_optimizer;
    count_parameters(before_optimizer);

    OperatorCostCount costs;
    buckets_->zero_gradients();
    plan_.update += costs.take();
    for (const PackedBatch& batch : micro_batches) pass(batch, costs);
    plan_.data_calls = std::exchange(mesh_.time.data, {});
    plan_.tensor_calls = std::exchange(mesh_.time.tensor, {});
    plan_.num_micro_batches = std::ssize(micro_batches);
    update(optimizer, costs);
    plan_.memory.working = plan_.memory.peak() - plan_.memory.always_held() - plan_.memory.activations;
    plan_.memory.largest_tensor = bytes().largest;
    plan_.data_update_calls = mesh_.time.data;
    plan_.tensor_update_calls = mesh_.time.tensor;
    return plan_;
  }

 private:
  HeldBytes& bytes() { return held_.bytes(); }

  void count_parameters(std::int64_t held) {
    std::int64_t adapters = 0, trained = 0;
    for (const Parameter& parameter : model_->parameters()) {
      const std::int64_t size = c10::multiply_integers(parameter.full_shape);
      if (!parameter.is_adapter) plan_.parameters += size;
      if (parameter.value.requires_grad()) plan_.trained += size;
    }
    for (const ParameterBuckets::Part& part : buckets_->parts())
      trained += static_cast<std::int64_t>(part.gradient.storage().nbytes());
    if (!options_.model.train_base) adapters = trained;
    plan_.memory.gradients = trained;
    plan_.memory.adapters = adapters;
    plan_.memory.weights = held - trained - adapters;
  }

  void pass(const PackedBatch& batch, OperatorCostCount& costs) {
    const std::int64_t before = bytes().held;
    bytes().reset_peak();
    const at::Tensor loss = model_->loss_sum(batch, mesh_.data.get());
    MemoryPlan& memory = plan_.memory;
    memory.activations = std::max(memory.activations, bytes().held - before);
    memory.forward_peak = std::max(memory.forward_peak, bytes().peak);
    plan_.forward += costs.take();
    const double attention = attention_flops(batch, options_.config) / options_.tensor;
    plan_.forward.attention_flops += attention;
    plan_.backward.attention_backward_flops += kAttentionBackward * attention;
    if (options_.model.checkpointing == ActivationCheckpointing::full) plan_.backward.attention_flops += attention;
    bytes().reset_peak();
    loss.backward();
    memory.backward_peak = std::max(memory.backward_peak, bytes().peak);
    plan_.backward += costs.take();
  }

  void update(AdamW& optimizer, OperatorCostCount& costs) {
    bytes().reset_peak();
    buckets_->reduce();
    for (const ParameterBuckets::Part& part : buckets_->parts()) {
      at::Tensor gradient = part.gradient;
      if (part.kind == kPartial && mesh_.tensor->size() > 1) mesh_.tensor->all_reduce(gradient, ReduceOp::sum);
    }
    square_gradients();
    agree(mesh_, buckets_->sharded());
    optimizer.step(1.0, 1.0);
    buckets_->gather();
    plan_.memory.update_peak = bytes().peak;
    plan_.update += costs.take();
  }

  /// What the gradients' norm takes (optim/gradient_norm.cpp): on CPUs float64 copies, piece by piece.
  void square_gradients() {
    for (const ParameterBuckets::Part& part : buckets_->parts()) {
      if (options_.on_gpu) {
        at::linalg_vector_norm(part.gradient, 2, {}, /*keepdim=*/false, at::kDouble);
        continue;
      }
      for (std::int64_t begin = 0; begin < part.gradient.numel(); begin += kNormPieceElements)
        part.gradient.narrow(0, begin, std::min(kNormPieceElements, part.gradient.numel() - begin)).to(at::kDouble);
    }
  }

  const DryRunOptions& options_;
  MetaTensorBytes held_;
  std::optional<MetaStandsForGpu> gpu_;
  PlannedMesh mesh_;
  std::optional<DecoderModel> model_;
  std::optional<ParameterBuckets> buckets_;
  StepPlan plan_;
};

}  // namespace

StepPlan dry_run(const DryRunOptions& options, const std::vector<PackedBatch>& micro_batches) {
  register_meta_operators();
  return DryRun(options).run(micro_batches);
}

}  // namespace entune
