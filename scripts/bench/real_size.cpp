// The program of real_size.sh: writes a directory of random weights in a published model's shape, or loads one over the ranks
// of mpirun, takes a LoRA step and answers a text.
//
//   real_size write --preset NAME --to DIR
//   mpirun -np R real_size load --model DIR [--cat-seconds S]      R tensor ranks
//
// `load` prints a line for each stage; the last one is JSON (real_size.sh describes it).

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "distributed/device_mesh.h"
#include "distributed/mpi_runtime.h"
#include "trainer/generate/generator.h"
#include "trainer/loop/trainer.h"
#include "trainer/telemetry/process_memory.h"
#include "trainer/telemetry/progress.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/presets.h"

namespace entune {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
constexpr std::int64_t kPromptTokens = 48, kAnswerTokens = 16;  // 64 in all

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

double peak_gib() { return static_cast<double>(peak_memory_bytes()) / kGib; }

void write_random(const std::string& preset, const std::string& directory, Communicator& self) {
  const std::optional<LlamaConfig> config = preset_config(preset);
  if (!config) throw InputError(fmt::format("--preset: expected a published model's name, found {}", preset));
  ModelOptions options;
  options.dtype = at::kBFloat16;
  DecoderModel model(*config, options, self);
  const Stopwatch watch;
  model.initialize_random(1);
  fmt::print("{}: random weights made in {:.0f} s\n", preset, watch.seconds());
  save_hugging_face(directory, model, {}, self, {.progress = byte_progress("writing " + preset, true)});
}

TrainingSample random_sample(std::int64_t vocab_size) {
  at::manual_seed(7);
  const at::Tensor ids = at::randint(3, vocab_size, {kPromptTokens + kAnswerTokens}, at::kInt);
  TrainingSample sample;
  sample.tokens.ids.assign(ids.data_ptr<std::int32_t>(), ids.data_ptr<std::int32_t>() + ids.numel());
  sample.tokens.answer_start = kPromptTokens;
  return sample;
}

void load_and_step(const std::string& directory, double cat_seconds, Communicator& world) {
  const bool first = world.rank() == 0;
  DeviceMesh mesh(world, 1, world.size());
  const LlamaConfig config = read_llama_config(directory);
  ModelOptions options;
  options.dtype = at::kBFloat16;
  options.lora = LoraOptions{
      .rank = 16,
      .alpha = 32.0,
      .dropout = 0.0,
      .targets = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}};

  world.barrier();
  Stopwatch watch;
  DecoderModel model(config, options, mesh.axis(MeshAxis::tensor));
  model.initialize_lora(1);
  std::int64_t bytes_read = 0;
  load_hugging_face_weights(directory, model,
                            [&, shown = byte_progress("loading", first)](std::int64_t done, std::int64_t total) {
                              bytes_read = done;
                              shown(done, total);
                            });
  const double load_seconds = over_ranks(world, watch.seconds(), ReduceOp::max);
  std::int64_t shard_bytes = 0;
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.is_adapter) shard_bytes += static_cast<std::int64_t>(parameter.value.nbytes());
  }
  nlohmann::ordered_json result;
  result["load_seconds"] = load_seconds;
  result["cat_seconds"] = cat_seconds > 0.0 ? nlohmann::ordered_json(cat_seconds) : nlohmann::ordered_json();
  result["shard_gib"] = over_ranks(world, static_cast<double>(shard_bytes) / kGib, ReduceOp::max);
  result["peak_load_gib"] = over_ranks(world, peak_gib(), ReduceOp::max);
  const double gib_read = over_ranks(world, static_cast<double>(bytes_read) / kGib, ReduceOp::sum);
  if (first) {
    fmt::print("loaded on {} ranks in {:.1f} s: {:.2f} GiB read, {:.2f} GiB/s; a rank's shard {:.2f} GiB, its peak {:.2f} GiB\n",
               world.size(), load_seconds, gib_read, gib_read / load_seconds, result["shard_gib"].get<double>(),
               result["peak_load_gib"].get<double>());
  }

  const std::vector<TrainingSample> samples = {random_sample(config.vocab_size)};
  const BatchLoader loader(samples, {.global_batch = 1}, 1, 0, 1);
  Trainer trainer(model, loader, mesh, {});
  watch = Stopwatch();
  const StepRecord step = trainer.run_step();
  if (first) fmt::print("one LoRA step of {} tokens in {:.1f} s: loss {:.4f}\n", step.logical_tokens, watch.seconds(), step.loss);
  watch = Stopwatch();
  Generator generator(model, config.eos_token_ids.empty() ? std::vector<TokenId>{}
                                                          : std::vector<TokenId>{static_cast<TokenId>(config.eos_token_ids[0])},
                      {});
  const std::vector<TokenId> prompt(samples[0].tokens.ids.begin(), samples[0].tokens.ids.begin() + kPromptTokens);
  const auto answers = generator.generate({{.ids = prompt, .max_new_tokens = 8}});
  if (first) fmt::print("answered {} tokens to {} in {:.1f} s\n", answers[0].ids.size(), kPromptTokens, watch.seconds());

  result["peak_step_gib"] = over_ranks(world, peak_gib(), ReduceOp::max);
  result["gib_read"] = gib_read;
  if (first) fmt::print("{}\n", result.dump());
}

}  // namespace
}  // namespace entune

int main(int argc, char** argv) {
  entune::MpiRuntime mpi(argc, argv);
  const std::unique_ptr<entune::Communicator> world = mpi.world();
  CLI::App app("Writes and loads a model directory of real size.", "real_size");
  std::string preset = "mistral-7b", directory;
  double cat_seconds = 0.0;
  CLI::App* write = app.add_subcommand("write", "Random weights in bfloat16, sharded as on the hub");
  write->add_option("--preset", preset)->capture_default_str();
  write->add_option("--to", directory)->required();
  CLI::App* load = app.add_subcommand("load", "Load it over the ranks, take a step, answer");
  load->add_option("--model", directory)->required();
  load->add_option("--cat-seconds", cat_seconds, "What reading the files took; goes into the last line");
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  try {
    if (*write) {
      entune::write_random(preset, directory, *world);
    } else {
      entune::load_and_step(directory, cat_seconds, *world);
    }
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "rank {}: {}\n", mpi.rank(), error.what());
    mpi.abort(1);
  }
}
