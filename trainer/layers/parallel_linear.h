#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "trainer/kernels/linear.h"
#include "trainer/layers/parameter.h"
#include "trainer/layers/residual_rows.h"

namespace entune {

/// Shape of a linear layer and of its adapter.
struct LinearOptions {
  std::string name;              ///< of the module, as Hugging Face has it: "model.layers.0.self_attn.q_proj"
  std::int64_t in_features = 0;  ///< over all ranks
  std::int64_t out_features = 0;
  bool bias = false;  ///< of column-parallel layers alone
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  bool train_base = false;
  std::int64_t lora_rank = 0;  ///< 0: no adapter
  double lora_scale = 0.0;     ///< alpha / rank
  double lora_dropout = 0.0;
};

/// Base weight W [out, in], bias [out] and adapter A [r, in], B [out, r] of one linear layer, as one rank of a
/// tensor-parallel group holds them:
///
///   column-parallel (`column`): rows of W, of the bias and of B are cut, A is whole. Every rank has all of the input,
///     the output is cut. dA is a partial sum.
///   row-parallel (`row`): columns of W and of A are cut, B is whole. Input cut; the output is a partial sum, to which
///     the adapter's part is added before the one reduction. dB is a partial sum.
///
/// So an adapter costs no collective of its own in a step: the partial gradients (Parameter::partial_gradient) are
/// summed once before the update.
class ParallelLinear {
 public:
  enum class Cut { column, row };
  ParallelLinear(LinearOptions options, Cut cut, Communicator& group);

  /// Appends W, the bias if there is one, then A and B.
  void collect(std::vector<Parameter>& parameters) const;
  /// `dropout_seed`: of this pass over the model, absent if dropout is off.
  Projection projection(std::optional<std::uint64_t> dropout_seed) const;

 private:
  LinearOptions options_;
  std::vector<Parameter> parameters_;
  Projection projection_;
  std::uint64_t name_hash_ = 0;
};

/// x [T, in] as the residual stream is held -> the layers' outputs, all rows, cut: x enters the region once, and its
/// gradient is reduced once for all of them. Where the rows are cut, only this rank's are kept for the backward, which
/// gathers them again.
std::vector<at::Tensor> column_parallel(const at::Tensor& x, const std::vector<const ParallelLinear*>& layers,
                                        const ResidualRows& stream, std::optional<std::uint64_t> dropout_seed);
/// x [T, in part] -> [T, out] as the residual stream is held.
at::Tensor row_parallel(const at::Tensor& x, const ParallelLinear& layer, const ResidualRows& stream,
                        std::optional<std::uint64_t> dropout_seed);
/// row_parallel(silu(gate) * up).
at::Tensor row_parallel_swiglu(const at::Tensor& gate, const at::Tensor& up, const ParallelLinear& layer,
                               const ResidualRows& stream, std::optional<std::uint64_t> dropout_seed);

}  // namespace entune
