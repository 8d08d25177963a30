// Logits, loss and every gradient against transformers and PEFT (make_golden.py describes the files).

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/model/small_models.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/safetensors_reader.h"

namespace entune {
namespace {

using test::expect_close;
using test::Sequence;

constexpr double kTolerance = 1e-5;
constexpr std::int64_t kShared = 5;

class GoldenModel : public testing::TestWithParam<std::string> {
 protected:
  GoldenModel()
      : folder_(std::filesystem::path(ENTUNE_SOURCE_DIR) / "tests/trainer/model/golden" / GetParam()),
        golden_(folder_ / "golden.safetensors"),
        group_(make_self_communicator()) {
    for (const char* name : {"ids.0", "ids.1"}) {
      const at::Tensor ids = golden(name).to(at::kLong);
      sequences_.emplace_back(ids.data_ptr<std::int64_t>(), ids.data_ptr<std::int64_t>() + ids.numel());
    }
    supervised_ = golden("supervised").item<std::int64_t>();
  }

  at::Tensor golden(const std::string& name) const {
    at::Tensor value = at::empty(golden_.header().tensors.at(name).shape);
    golden_.read(name, Shard{}, value);
    return value;
  }

  std::unique_ptr<DecoderModel> load(ModelOptions options) {
    auto model = std::make_unique<DecoderModel>(read_llama_config(folder_), options, *group_);
    load_hugging_face_weights(folder_, *model);
    at::NoGradGuard no_grad;
    for (Parameter& p : model->parameters()) {
      if (p.is_adapter) p.value.copy_(golden("lora." + p.name));
    }
    return model;
  }

  /// Shared and plain packing, each with and without checkpointing.
  void check(ModelOptions options, const std::string& prefix) {
    for (const auto checkpointing : {ActivationCheckpointing::none, ActivationCheckpointing::full}) {
      options.checkpointing = checkpointing;
      const std::unique_ptr<DecoderModel> model = load(options);
      for (const std::int64_t shared : {std::int64_t{0}, kShared}) {
        SCOPED_TRACE(testing::Message() << "prefix " << shared << ", checkpointing "
                                        << static_cast<int>(checkpointing));
        const PackedBatch batch = test::pack(sequences_, shared, supervised_, 0.0F);
        const test::LossAndGradients result = test::run(*model, {batch});
        EXPECT_NEAR(result.loss, golden(prefix + "loss").item<double>(), kTolerance * result.loss);
        EXPECT_EQ(result.gradients.size(), options.lora ? 2U * 7U * 2U : model->parameters().size());
        for (const auto& [name, gradient] : result.gradients)
          expect_close(gradient, golden(prefix + "grad." + name), kTolerance, name);

        for (std::size_t b = 0; b < sequences_.size(); ++b) {
          std::vector<std::int64_t> rows;
          for (std::int64_t i = 0; i < shared; ++i) rows.push_back(i);
          for (std::int64_t i = batch.leaf_offsets[b]; i < batch.leaf_offsets[b + 1]; ++i) rows.push_back(i);
          expect_close(model->logits(batch, rows), golden(prefix + "logits." + std::to_string(b)), kTolerance,
                       "logits");
        }
      }
    }
  }

  std::filesystem::path folder_;
  SafetensorsReader golden_;
  std::unique_ptr<Communicator> group_;
  std::vector<Sequence> sequences_;
  std::int64_t supervised_ = 0;
};

TEST_P(GoldenModel, FullFineTuningIsTransformers) { check(test::full_training(), ""); }
TEST_P(GoldenModel, LoraIsPeft) { check(test::lora_training(), "lora_"); }

INSTANTIATE_TEST_SUITE_P(Cases, GoldenModel, testing::Values("llama_grouped_tied", "llama_untied", "mistral_window"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace entune
