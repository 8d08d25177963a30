#include "trainer/study/benchmark_dump.h"

#include <fmt/format.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "trainer/report/summary_file.h"
#include "trainer/telemetry/progress.h"
#include "trainer/weights/gathered_writer.h"
#include "trainer/weights/hugging_face.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using nlohmann::ordered_json;

bool is_random(const Recipe& recipe) { return recipe.model.init == "random"; }

ordered_json settings_json(const Recipe& recipe, const DecoderModel& model, const std::vector<double>& learning_rates) {
  const AdamWOptions& optimizer = recipe.training.optimizer;
  return {{"kind", "settings"},
          {"model", is_random(recipe) ? "model" : fs::absolute(recipe.model.path).string()},
          {"dtype", dtype_name(model.options().dtype)},
          {"method", recipe.training.method == TrainingMethod::full ? "full" : "lora"},
          {"global_batch", recipe.training.global_batch},
          {"optimizer",
           {{"betas", {optimizer.beta1, optimizer.beta2}},
            {"eps", optimizer.eps},
            {"weight_decay", optimizer.weight_decay},
            {"clip_norm", optimizer.clip_norm}}},
          {"learning_rates", learning_rates}};
}

std::vector<double> token_weights(const EncodedSample& sample, double prompt_weight) {
  std::vector<double> weights(sample.ids.size(), 1.0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(sample.answer_start); ++i)
    weights[i] = i == 0 ? 0.0 : prompt_weight;
  return weights;
}

void write_samples(const fs::path& path, const Recipe& recipe, const BenchmarkDump& dump, const DecoderModel& model) {
  std::string lines = settings_json(recipe, model, dump.learning_rates).dump() + "\n";
  const std::int64_t steps_per_epoch = dump.loader.steps_per_epoch();
  for (std::int64_t step = 0; step < std::ssize(dump.learning_rates); ++step) {
    for (const std::size_t i : dump.loader.sample_order(step / steps_per_epoch, step % steps_per_epoch)) {
      const EncodedSample& sample = dump.samples[i].tokens;
      ordered_json line{{"kind", "sample"},
                        {"step", step + 1},
                        {"ids", sample.ids},
                        {"weights", token_weights(sample, recipe.training.prompt_weight)}};
      lines += line.dump() + "\n";
    }
  }
  write_file_whole(path, lines);
}

}  // namespace

std::string dtype_name(at::ScalarType dtype) { return dtype == at::kBFloat16 ? "bfloat16" : "float32"; }

void write_benchmark_dump(const fs::path& target, const Recipe& recipe, const BenchmarkDump& dump, DecoderModel& model,
                          DeviceMesh& mesh) {
  const bool first_rank = mesh.world().rank() == 0;
  write_staged(target, mesh.world(), [&](const fs::path& staged) {
    if (mesh.axis(MeshAxis::data).rank() == 0) {
      Communicator& axis = mesh.axis(MeshAxis::tensor);
      if (recipe.training.method == TrainingMethod::lora)
        save_peft_adapter(staged / "adapter", model, recipe.model.path, axis);
      if (is_random(recipe)) {
        save_hugging_face(staged / "model", model, recipe.model.path, axis,
                          {.progress = byte_progress("writing " + (target / "model").string(), first_rank)});
      }
    }
    if (first_rank) write_samples(staged / "samples.jsonl", recipe, dump, model);
  });
}

}  // namespace entune
