#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "distributed/communicator.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_data.h"
#include "trainer/study/cell_setup.h"

namespace entune {

struct BenchmarkOptions {
  std::int64_t warmup = 2;                             ///< steps before those that are timed
  std::int64_t steps = 8;                              ///< steps that are timed, at least 1
  bool weak = false;                                   ///< the global batch was made to grow with the data ranks
  std::filesystem::path dump{};                        ///< write_benchmark_dump() here; empty: nowhere
  std::function<void(const std::string& line)> say{};  ///< told of each stage, on every rank; may be empty
};

/// Trains the cell for warmup + steps steps, by the Trainer and on the data of its training, and times the latter.
/// Nothing is evaluated or kept. Epochs follow one another for as long as it takes; the learning rate is that of a
/// training of so many epochs.
///
/// Of several ranks: times are those of the slowest in each step, counts are sums. What the numbers mean:
///
///   matmul          speed of a product of the run's dtype and shapes (a micro-batch's rows times the MLP's first
///                   matrix), measured in this process on all ranks at once before and after the steps; the better one
///   tflops          floating-point operations of the matrix products alone, without attention and adapters, in 10^12 a
///                   second: at_4n counts forward and the gradient of the inputs (what LoRA needs), at_6n the gradient
///                   of the weights too. Per token and weight 4 and 6: executed tokens times matmul_parameters.all_rows
///                   plus rows with a loss times matmul_parameters.loss_rows (MatmulWeights). Nothing is counted for
///                   tokens that prefix sharing spares
///   mfu             tflops over the ranks' matmul speeds together
///   phases          StepPhase's seconds of all timed steps: the largest of the ranks, and their mean, which adds up to
///                   the steps' time
///   place           machines, and the most ranks on one of them; crowded: more than it has cores, or GPUs
///   scaling         weak or strong: BenchmarkOptions::weak
///   peak_memory_bytes  of each rank since the model was loaded, weights included: of the process, or of what it
///                   allocated on its GPU
///
/// Collective; the result is equal on every rank. Throws InputError for a cell that trains nothing.
nlohmann::ordered_json benchmark_cell(const StudyCell& cell, const CellSetup& setup, const CellData& data,
                                      Communicator& world, const BenchmarkOptions& options);

}  // namespace entune
