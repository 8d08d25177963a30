#pragma once

#include <ATen/core/ScalarType.h>

#include <filesystem>
#include <string>
#include <vector>

#include "data/batches/batch_loader.h"
#include "distributed/device_mesh.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_setup.h"

namespace entune {

/// A dtype as recipes name it.
std::string dtype_name(at::ScalarType dtype);

/// What another program needs to train on the same numbers from the same start.
struct BenchmarkDump {
  const std::vector<TrainingSample>& samples;
  const BatchLoader& loader;
  std::vector<double> learning_rates;  ///< of each step, from the first
};

/// Writes the directory `target`, which must be absent or empty: the adapters as a PEFT directory adapter/ (LoRA), a
/// model made at random as a Hugging Face directory model/, and samples.jsonl, one object a line:
///
///   {"kind": "settings", "model": DIR (or "model": the one beside it), "dtype", "method", "global_batch",
///    "optimizer": {"betas", "eps", "weight_decay", "clip_norm"}, "learning_rates": [one a step]}
///   {"kind": "sample", "step": from 1, "ids": [...], "weights": [...]}     in the order of the steps
///
/// weights[i] is the weight of predicting ids[i]; a step's loss is the weighted mean over its samples. The ids are the
/// texts: the directory is as private as they are. Collective; `model` as it is before its first step.
void write_benchmark_dump(const std::filesystem::path& target, const Recipe& recipe, const BenchmarkDump& dump,
                          DecoderModel& model, DeviceMesh& mesh);

}  // namespace entune
