#include "tests/trainer/plan/planned_memory.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <utility>

#include "distributed/device_mesh.h"
#include "tests/trainer/model/small_models.h"
#include "trainer/loop/trainer.h"
#include "trainer/plan/dry_run.h"
#include "trainer/plan/held_bytes.h"

namespace entune::test {
namespace {

constexpr std::int64_t kVocabulary = 997;

LlamaConfig config() {
  LlamaConfig c = small_config();
  c.vocab_size = kVocabulary;
  c.hidden_size = 64;
  c.intermediate_size = 192;
  c.num_layers = 4;
  c.num_heads = 8;
  c.num_kv_heads = 4;
  c.head_dim = 8;
  return c;
}

std::string name(const MemoryCase& c) {
  const LayoutCase& layout = c.layout;
  return fmt::format("data {} tensor {} {} {} checkpointing {} rows {} zero {} {}", layout.data, layout.tensor,
                     layout.full ? "full" : "lora", layout.prefix_sharing ? "shared" : "plain",
                     static_cast<int>(layout.checkpointing), layout.sequence ? "cut" : "whole", layout.zero ? 1 : 0,
                     c10::toString(c.dtype));
}

struct Peaks {
  std::int64_t planned = 0, measured = 0;
  MemoryPlan memory;
  std::pair<CollectiveCounts, CollectiveCounts> calls;  ///< of the data and the tensor axis, less those planned
};

void take(CollectiveCounts& from, const CollectiveCounts& calls) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    from[i].calls -= calls[i].calls;
    from[i].bytes -= calls[i].bytes;
  }
}

/// What the real trainer's tensors hold at most in two steps, and what is planned for it.
Peaks compare(Communicator& world, const MemoryCase& c) {
  CollectiveTime time;
  DeviceMesh mesh(world, c.layout.data, c.layout.tensor, at::kCPU, &time);
  Communicator &data = mesh.axis(MeshAxis::data), &tensor = mesh.axis(MeshAxis::tensor);
  ModelOptions options = c.layout.full ? full_training() : lora_training();
  options.dtype = c.dtype;
  options.checkpointing = c.layout.checkpointing;
  options.sequence_parallel = c.layout.sequence;
  const std::vector<TrainingSample> samples = random_samples(32, kVocabulary);
  const BatchOptions batches{
      .global_batch = 16, .micro_batch_tokens = 160, .prefix_sharing = c.layout.prefix_sharing, .prompt_weight = 0.0};
  const BatchLoader loader(samples, batches, 5, data.rank(), data.size());
  Peaks peaks;
  {
    CpuTensorBytes count;
    DecoderModel model(config(), options, tensor);
    model.initialize_random(3);
    TrainerOptions trained;
    trained.shard_optimizer = c.layout.zero;
    Trainer trainer(model, loader, mesh, trained);
    count.bytes().reset_peak();
    for (int step = 0; step < 2; ++step) trainer.run_step();
    peaks.measured = count.bytes().peak;
    peaks.calls = {time.data, time.tensor};
  }
  const DryRunOptions dry{.config = config(),
                          .model = options,
                          .data = data.size(),
                          .tensor = tensor.size(),
                          .data_rank = data.rank(),
                          .tensor_rank = tensor.rank(),
                          .shard_optimizer = c.layout.zero};
  for (int step = 0; step < 2; ++step) {
    const StepPlan plan = dry_run(dry, loader.load(0, step).micro_batches);
    if (plan.memory.peak() > peaks.planned) peaks.memory = plan.memory;
    for (const CollectiveCounts* calls : {&plan.data_calls, &plan.data_update_calls}) take(peaks.calls.first, *calls);
    for (const CollectiveCounts* calls : {&plan.tensor_calls, &plan.tensor_update_calls})
      take(peaks.calls.second, *calls);
    peaks.planned = std::max(peaks.planned, plan.memory.peak());
  }
  return peaks;
}

}  // namespace

void expect_planned_memory(Communicator& world, const MemoryCase& c) {
  const Peaks peaks = compare(world, c);
  const double ratio = static_cast<double>(peaks.planned) / static_cast<double>(peaks.measured);
  for (const CollectiveCounts* calls : {&peaks.calls.first, &peaks.calls.second}) {
    for (const CollectiveCount& left : *calls) {
      EXPECT_EQ(left.calls, 0) << name(c);
      EXPECT_EQ(left.bytes, 0) << name(c);
    }
  }
  EXPECT_NEAR(ratio, 1.0, c.dtype == at::kFloat ? 0.001 : 0.05)
      << name(c) << ": planned " << peaks.planned << ", measured " << peaks.measured;
}

std::vector<LayoutCase> ways_of_training(int data, int tensor) {
  std::vector<LayoutCase> ways;
  for (const bool full : {false, true})
    for (const bool sharing : {false, true})
      for (const auto checkpointing :
           {ActivationCheckpointing::none, ActivationCheckpointing::selective, ActivationCheckpointing::full})
        ways.push_back({data, tensor, full, sharing, checkpointing});
  return ways;
}

}  // namespace entune::test
