// SmolLM2-135M-Instruct (9 heads, 3 key/value heads) split over the ranks: loss, every gradient and what a rank holds.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data/batches/batch_loader.h"
#include "tests/support/mpi_test.h"
#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/loop/layouts.h"
#include "tests/trainer/model/small_models.h"
#include "trainer/weights/hugging_face.h"

namespace entune::test {
namespace {

std::filesystem::path model_directory() {
  return std::filesystem::path(ENTUNE_SOURCE_DIR) / "models/smollm2-135m-instruct";
}

struct Trained {
  std::unique_ptr<DecoderModel> model;
  double loss = 0.0;
};

Trained one_pass(Communicator& tensor_axis, bool full) {
  const LlamaConfig config = read_llama_config(model_directory());
  Trained result{std::make_unique<DecoderModel>(config, full ? full_training() : lora_training(), tensor_axis)};
  load_hugging_face_weights(model_directory(), *result.model);
  fill_adapters(*result.model, 3);
  const at::Tensor loss =
      result.model->loss_sum(entune::pack(random_samples(3, config.vocab_size), {0, 1, 2}, true, 0.0));
  loss.backward();
  result.loss = loss.item<double>();
  reduce_partial_gradients(*result.model, tensor_axis);
  return result;
}

TEST(SmolLm2OverRanks, GivesTheLossAndEveryGradientOfOneRank) {
  if (!std::filesystem::exists(model_directory() / "model.safetensors")) {
    GTEST_SKIP() << "missing: models/smollm2-135m-instruct; scripts/setup.sh makes it";
  }
  const auto self = make_self_communicator();
  for (const bool full : {false, true}) {
    const Trained mine = one_pass(world(), full);
    const Trained whole = world().rank() == 0 ? one_pass(*self, full) : Trained{};
    std::int64_t held = 0, expected_to_hold = 0;
    double squares = 0.0, difference_squares = 0.0;
    for (std::size_t i = 0; i < mine.model->parameters().size(); ++i) {
      const Parameter& parameter = mine.model->parameters()[i];
      std::int64_t bytes = static_cast<std::int64_t>(sizeof(float));
      for (const std::int64_t size : parameter.full_shape) bytes *= size;
      held += static_cast<std::int64_t>(parameter.value.nbytes());
      expected_to_hold += parameter.shard.dim < 0 ? bytes : bytes / world().size();
      if (!parameter.value.requires_grad()) continue;
      const at::Tensor gradient = whole_gradient(parameter, world());
      if (world().rank() != 0) continue;
      const at::Tensor expected = whole.model->parameters()[i].value.grad();
      EXPECT_GT(expected.norm().item<double>(), 0.0) << parameter.name << ": nothing compared";
      // Sums in another order, through 30 blocks in float32: some small tensors differ in the fifth digit.
      EXPECT_LE(relative_error(gradient, expected), 1e-4) << parameter.name << (full ? ", full" : ", LoRA");
      squares += expected.square().sum().item<double>();
      difference_squares += (expected - gradient).square().sum().item<double>();
    }
    EXPECT_EQ(held, expected_to_hold) << "a third of what is sharded (3 divides all of it), and what is replicated";
    if (world().rank() == 0) {
      EXPECT_NEAR(mine.loss, whole.loss, 1e-5 * whole.loss);
      EXPECT_LE(difference_squares, 1e-10 * squares) << "of the whole gradient, 1e-5 of its norm";
    }
  }
}

}  // namespace
}  // namespace entune::test
