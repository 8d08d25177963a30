#include "trainer/study/cell_export.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "data/batches/packed_batch.h"
#include "data/input_error.h"
#include "trainer/study/trained_cell.h"
#include "trainer/telemetry/progress.h"
#include "trainer/weights/gathered_writer.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/tokenizer_files.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kComparedPositions = 64;  // logits of a large vocabulary are large

// Logits at the last positions of the cell's prompt: [N, V], equal on every rank of the tensor axis.
at::Tensor prompt_logits(DecoderModel& model, const CellSetup& setup) {
  const std::vector<TokenId> ids = setup.task->request("", {}, GenerationOptions{.max_new_tokens = 1}).ids;
  std::vector<std::int64_t> rows(std::min(ids.size(), static_cast<std::size_t>(kComparedPositions)));
  std::iota(rows.begin(), rows.end(), static_cast<std::int64_t>(ids.size() - rows.size()));
  model.set_training(false);
  return model.logits(lay_out({ids}, 0), rows);
}

// The tokenizer of the base in `from`, with the chat of the training. `target` is where `staged` will be.
void write_tokenizer(const CellSetup& setup, DeviceMesh& mesh, const fs::path& from, const fs::path& staged,
                     const fs::path& target) {
  on_rank_zero(mesh.axis(MeshAxis::tensor), [&] {
    const std::string difference = write_tokenizer_files(from, staged, setup.chat_family);
    if (!difference.empty()) fmt::print(stderr, "warning: {}: {}\n", target.string(), difference);
  });
}

// The base's end tokens and those of the trained chat: where transformers and vLLM are to stop.
LlamaConfig with_stop_ids(LlamaConfig config, const std::vector<TokenId>& stop_ids) {
  std::vector<std::int64_t>& ends = config.eos_token_ids;
  for (const TokenId id : stop_ids) {
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  }
  return config;
}

// `target` is where `staged` will be, for the progress.
void write_model(const Recipe& recipe, const CellSetup& setup, DecoderModel& model, DeviceMesh& mesh,
                 const fs::path& staged, const fs::path& target) {
  save_hugging_face(staged, model, recipe.model.path, mesh.axis(MeshAxis::tensor),
                    {.progress = byte_progress("writing " + target.string(), mesh.world().rank() == 0)});
  on_rank_zero(mesh.axis(MeshAxis::tensor), [&] {
    write_llama_config(staged, with_stop_ids(model.config(), setup.task->stop_ids()), model.options().dtype);
  });
  write_tokenizer(setup, mesh, staged, staged, target);
}

bool writes(DeviceMesh& mesh) { return mesh.axis(MeshAxis::data).rank() == 0; }

MergeDifference write_merged(const Recipe& recipe, const CellSetup& setup, std::unique_ptr<DecoderModel> model,
                             DeviceMesh& mesh, const fs::path& staged, const fs::path& target) {
  if (!writes(mesh)) return {};
  const at::Tensor apart = prompt_logits(*model, setup);
  write_model(recipe, setup, *model, mesh, staged, target);
  const ModelOptions without_adapters{
      .dtype = model->options().dtype, .lora = std::nullopt, .device = model->options().device};
  model.reset();

  DecoderModel merged(read_llama_config(staged), without_adapters, mesh.axis(MeshAxis::tensor));
  load_hugging_face_weights(staged, merged, byte_progress("reading back " + target.string(), mesh.world().rank() == 0));
  const at::Tensor together = prompt_logits(merged, setup);
  return {.largest = (apart - together).abs().max().item<double>(),
          .largest_logit = apart.abs().max().item<double>(),
          .num_positions = apart.size(0),
          .num_same_choice = apart.argmax(-1).eq(together.argmax(-1)).sum().item<std::int64_t>()};
}

// Whether the cell was trained so that there is something of this form.
void require_form(const StoredCell& cell, const ExportOptions& options) {
  const auto refuse = [&](const std::string& expected, const std::string& found, const std::string& todo) {
    throw InputError(
        fmt::format("{}: cell {}: expected {}, found {}; {}", options.run.string(), cell.name, expected, found, todo));
  };
  const Recipe& recipe = cell.loaded.recipe;
  switch (recipe.training.method) {
    case TrainingMethod::none:
      if (recipe.model.adapter == "none")
        refuse("weights that were trained", "training.method: none", "name a cell that was trained");
      if (options.form != ExportForm::merged)
        refuse("an adapter or a model of the cell's own", "the adapter that it was given", "give --to merged");
      return;
    case TrainingMethod::lora:
      if (options.form == ExportForm::hf)
        refuse("a full fine-tuning for --to hf", "training.method: lora", "give --to peft, or --to merged");
      break;
    case TrainingMethod::full:
      if (options.form != ExportForm::hf)
        refuse("an adapter to export", "training.method: full, which has none", "give --to hf");
      break;
  }
  trained_weights(recipe, cell.directory);
}

}  // namespace

std::string describe(const MergeDifference& difference) {
  return fmt::format("largest logit difference {:.3g} (logits up to {:.3g}), same first choice at {} of {} positions",
                     difference.largest, difference.largest_logit, difference.num_same_choice,
                     difference.num_positions);
}

void export_trained_weights(const Recipe& recipe, const CellSetup& setup, DecoderModel& model, DeviceMesh& mesh,
                            const fs::path& directory) {
  if (recipe.export_as == "none" || recipe.training.method == TrainingMethod::none) return;
  const bool is_full = recipe.training.method == TrainingMethod::full;
  const fs::path target = directory / (is_full ? "model" : "adapter");
  write_staged(target, mesh.world(), [&](const fs::path& staged) {
    if (!writes(mesh)) return;
    if (is_full) {
      write_model(recipe, setup, model, mesh, staged, target);
    } else {
      save_peft_adapter(staged, model, recipe.model.path, mesh.axis(MeshAxis::tensor));
      write_tokenizer(setup, mesh, recipe.model.path, staged, target);
    }
  });
}

MergeDifference export_merged_model(const Recipe& recipe, const CellSetup& setup, std::unique_ptr<DecoderModel> model,
                                    DeviceMesh& mesh, const fs::path& target) {
  MergeDifference difference;
  write_staged(target, mesh.world(), [&](const fs::path& staged) {
    difference = write_merged(recipe, setup, std::move(model), mesh, staged, target);
  });
  return difference;
}

std::optional<MergeDifference> export_cell(const ExportOptions& options, Communicator& world) {
  const StoredCell stored = find_stored_cell(options.run, options.cell, options.overrides);
  require_form(stored, options);
  std::optional<MergeDifference> difference;
  write_staged(options.output, world, [&](const fs::path& staged) {
    if (options.form == ExportForm::peft) {
      // The run wrote what PEFT reads; the base model need not be at hand.
      on_rank_zero(world, [&] {
        const fs::path adapter = trained_weights(stored.loaded.recipe, stored.directory);
        copy_peft_adapter(adapter, staged);
        copy_tokenizer_files(adapter, staged);
      });
      return;
    }
    TrainedCell cell = load_trained_cell(stored, world);
    if (options.form == ExportForm::hf) {
      if (writes(*cell.mesh))
        write_model(cell.loaded.recipe, cell.setup, *cell.model, *cell.mesh, staged, options.output);
    } else {
      difference =
          write_merged(cell.loaded.recipe, cell.setup, std::move(cell.model), *cell.mesh, staged, options.output);
    }
  });
  return difference;
}

}  // namespace entune
