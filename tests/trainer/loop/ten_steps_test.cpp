// Ten training steps of each family against PyTorch, transformers and PEFT on the same samples (make_ten_steps.py
// describes the files).

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "tests/support/thread_communicator.h"
#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/model/golden_models.h"
#include "tests/trainer/model/small_models.h"
#include "tests/trainer/weights/read_tensor.h"
#include "trainer/loop/trainer.h"
#include "trainer/weights/hugging_face.h"

namespace entune {
namespace {

constexpr std::int64_t kSamples = 20, kSteps = 10;

/// A layout and a way of packing; all of them take the same ten steps.
struct Way {
  bool prefix_sharing;
  int data;
  int tensor;
};
constexpr Way kWays[] = {{false, 1, 1}, {true, 1, 1}, {true, 1, 2}, {true, 1, 4}, {true, 2, 2}};

class TenSteps : public testing::TestWithParam<std::string> {
 protected:
  TenSteps()
      : golden_(test::golden_folder(ENTUNE_SOURCE_DIR, "loop") / (GetParam() + ".safetensors")),
        first_(model() / "golden.safetensors") {
    const at::Tensor starts = test::read_tensor(golden_, "answer_start").to(at::kLong);
    for (std::int64_t i = 0; i < kSamples; ++i) {
      const at::Tensor ids = test::read_tensor(golden_, "ids." + std::to_string(i)).to(at::kInt);
      TrainingSample sample;
      sample.tokens.ids.assign(ids.data_ptr<std::int32_t>(), ids.data_ptr<std::int32_t>() + ids.numel());
      sample.tokens.answer_start = starts[i].item<std::int64_t>();
      samples_.push_back(std::move(sample));
    }
  }

  static std::filesystem::path model() { return test::golden_folder(ENTUNE_SOURCE_DIR, "model") / GetParam(); }

  void train(Communicator& world, const Way& way, bool full) const {
    SCOPED_TRACE(testing::Message() << "rank " << world.rank() << ", data " << way.data << ", tensor " << way.tensor
                                    << ", sharing " << way.prefix_sharing);
    DeviceMesh mesh(world, way.data, way.tensor);
    const ModelOptions options = full ? test::full_training() : test::lora_training();  // rank 3, alpha 6
    DecoderModel decoder(read_llama_config(model()), options, mesh.axis(MeshAxis::tensor));
    load_hugging_face_weights(model(), decoder);
    {
      const at::NoGradGuard no_grad;
      for (Parameter& p : decoder.parameters()) {
        if (p.is_adapter) p.value.copy_(test::read_tensor(first_, "lora." + p.name, p.shard));
      }
    }
    const BatchOptions batches{.global_batch = kSamples * 2 / kSteps,
                               .micro_batch_tokens = 40,
                               .prefix_sharing = way.prefix_sharing,
                               .prompt_weight = 0.0};
    Communicator& data = mesh.axis(MeshAxis::data);
    const BatchLoader loader(samples_, batches, 5, data.rank(), data.size());
    const at::Tensor order = test::read_tensor(golden_, "order").to(at::kLong);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const auto chosen = loader.sample_order(step / loader.steps_per_epoch(), step % loader.steps_per_epoch());
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        EXPECT_EQ(order[step][static_cast<std::int64_t>(i)].item<std::int64_t>(), static_cast<std::int64_t>(chosen[i]))
            << "step " << step << ": BatchLoader's order is not the fixture's: " << testing::PrintToString(chosen);
      }
    }
    TrainerOptions training;
    training.epochs = 2;
    training.optimizer = {.lr = 2e-3, .weight_decay = 0.1, .clip_norm = 0.5};
    training.schedule.warmup_steps = 3;
    Trainer trainer(decoder, loader, mesh, training);
    ASSERT_EQ(trainer.total_steps(), kSteps);

    const std::string prefix = full ? "full." : "lora.";
    const at::Tensor losses = test::read_tensor(golden_, prefix + "loss"),
                     norms = test::read_tensor(golden_, prefix + "norm"),
                     rates = test::read_tensor(golden_, prefix + "rate");
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const StepRecord record = trainer.run_step();
      const double loss = losses[step].item<double>(), norm = norms[step].item<double>();
      EXPECT_NEAR(record.loss, loss, 1e-5 * loss) << "step " << step;
      EXPECT_NEAR(record.gradient_norm, norm, 5e-5 * norm) << "step " << step;
      EXPECT_NEAR(record.learning_rate, rates[step].item<double>(), 1e-9) << "step " << step;
    }
    std::size_t compared = 0;
    for (const Parameter& p : decoder.parameters()) {
      if (!p.value.requires_grad()) continue;
      const at::Tensor expected = test::read_tensor(golden_, prefix + "final." + p.name, p.shard);
      test::expect_close(p.value, expected, 1e-5, p.name);
      ++compared;
    }
    EXPECT_EQ(compared, full ? decoder.parameters().size() : 2U * 7U * 2U);
  }

  SafetensorsReader golden_, first_;
  std::vector<TrainingSample> samples_;
};

TEST_P(TenSteps, OfFullFineTuningEqualPyTorch) {
  for (const Way& way : kWays)
    test::spawn_ranks(way.data * way.tensor, [&](Communicator& world) { train(world, way, true); });
}

TEST_P(TenSteps, OfLoraEqualPeft) {
  for (const Way& way : kWays)
    test::spawn_ranks(way.data * way.tensor, [&](Communicator& world) { train(world, way, false); });
}

INSTANTIATE_TEST_SUITE_P(Models, TenSteps, testing::ValuesIn(test::golden_models(ENTUNE_SOURCE_DIR)),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace entune
