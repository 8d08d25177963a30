// SmolLM2-135M-Instruct (9 heads, 3 key/value heads) split over the ranks: loss, every gradient and what a rank holds.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data/batches/batch_loader.h"
#include "data/random.h"
#include "distributed/gradient_reducer.h"
#include "tests/support/mpi_test.h"
#include "tests/trainer/loop/layouts.h"
#include "trainer/weights/hugging_face.h"

namespace entune::test {
namespace {

std::filesystem::path model_directory() {
  return std::filesystem::path(ENTUNE_SOURCE_DIR) / "models/smollm2-135m-instruct";
}

/// Three samples behind one prompt.
std::vector<TrainingSample> some_samples(std::int64_t vocab_size) {
  Random random(3);
  const auto append = [&](std::vector<TokenId>& ids, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>(random.below(vocab_size)));
  };
  std::vector<TokenId> prompt;
  append(prompt, 20);
  std::vector<TrainingSample> samples(3);
  for (TrainingSample& sample : samples) {
    sample.tokens.ids = prompt;
    append(sample.tokens.ids, random.between(5, 15));
    sample.tokens.answer_start = 22;
  }
  return samples;
}

struct Trained {
  std::unique_ptr<DecoderModel> model;
  double loss = 0.0;
};

Trained one_pass(Communicator& tensor_axis, bool full) {
  ModelOptions options;
  options.train_base = full;
  if (!full) {
    options.lora =
        LoraOptions{.rank = 4,
                    .alpha = 8.0,
                    .dropout = 0.0,
                    .targets = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}};
  }
  const LlamaConfig config = read_llama_config(model_directory());
  Trained result{std::make_unique<DecoderModel>(config, options, tensor_axis)};
  load_hugging_face_weights(model_directory(), *result.model);
  result.model->initialize_lora(3);
  randomize_adapters(*result.model);
  const at::Tensor loss = result.model->loss_sum(pack(some_samples(config.vocab_size), {0, 1, 2}, true, 0.0));
  loss.backward();
  result.loss = loss.item<double>();
  std::vector<at::Tensor> partial;
  for (const Parameter& p : result.model->parameters()) {
    if (p.value.requires_grad() && p.partial_gradient) partial.push_back(p.value);
  }
  GradientReducer(partial, tensor_axis).reduce();
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
    std::int64_t held = 0, replicated = 0, padding = 0, all = 0;
    double squares = 0.0, difference_squares = 0.0;
    for (std::size_t i = 0; i < mine.model->parameters().size(); ++i) {
      const Parameter& parameter = mine.model->parameters()[i];
      const auto bytes = static_cast<std::int64_t>(parameter.value.nbytes());
      held += bytes;
      if (parameter.shard.dim < 0) replicated += bytes;
      const std::int64_t elements = at::prod(at::tensor(parameter.full_shape, at::kLong)).item<std::int64_t>();
      if (parameter.shard.dim >= 0) {
        padding += std::max<std::int64_t>(0, bytes - elements * 4 / world().size());
        all += elements * 4;
      }
      if (!parameter.value.requires_grad()) continue;
      const at::Tensor gradient = whole_gradient(parameter, world());
      if (world().rank() != 0) continue;
      const at::Tensor expected = whole.model->parameters()[i].value.grad();
      EXPECT_GT(expected.norm().item<double>(), 0.0) << parameter.name << ": nothing compared";
      // Sums in another order, through 30 blocks in float32: some small tensors differ in the fifth digit.
      EXPECT_LE(relative_difference(expected, gradient), 1e-4) << parameter.name << (full ? ", full" : ", LoRA");
      squares += expected.square().sum().item<double>();
      difference_squares += (expected - gradient).square().sum().item<double>();
    }
    EXPECT_LE(held, all / world().size() + replicated + padding);
    EXPECT_LE(padding, 4 * 576) << "one row of the vocabulary at most";
    if (world().rank() == 0) {
      EXPECT_NEAR(mine.loss, whole.loss, 1e-5 * whole.loss);
      EXPECT_LE(difference_squares, 1e-10 * squares) << "of the whole gradient, 1e-5 of its norm";
    }
  }
}

}  // namespace
}  // namespace entune::test
