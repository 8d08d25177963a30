#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace entune {

/// Dropout on an adapter's input. The mask follows from the seed alone and is made again in the backward. Under tensor
/// parallelism x may be columns [begin, begin + in) of `full` columns: every layout drops the same ones.
struct AdapterDropout {
  double probability = 0.0;  ///< 0: none
  std::uint64_t seed = 0;
  std::int64_t begin = 0;
  std::int64_t full = 0;
};

/// One projection: y = x W^T + b + scale * (x A^T) B^T (Hu et al. 2021).
struct Projection {
  at::Tensor weight;          ///< W [out, in], the type of x
  at::Tensor bias;            ///< b [out], the type of x; undefined: none
  at::Tensor lora_a, lora_b;  ///< A [r, in] and B [out, r], float32 (float64 if x is); undefined: no adapter
  double scale = 0.0;
  AdapterDropout dropout;
};

/// For an x of which a part is handed in: only the part is kept, and the backward makes x of it again.
struct PartialInput {
  std::function<at::Tensor(const at::Tensor&)> whole;        ///< x of the part; null: what is handed in is x
  std::function<at::Tensor(const at::Tensor&)> part_of_sum;  ///< the part's gradient, of that of x
};

/// Several projections of one x [T, in]: their outputs [T, out_i]. Their gradients of x are added up in one buffer.
/// Differentiable in x, W, b, A and B; what needs no gradient is not computed. Keeps x (or its part) and x A^T.
std::vector<at::Tensor> project(const at::Tensor& x, const std::vector<Projection>& projections,
                                const PartialInput& partial = {});

/// project(silu(gate) * up): keeps gate and up, and builds their product again in the backward. gate, up [T, in] -> [T,
/// out].
at::Tensor swiglu_project(const at::Tensor& gate, const at::Tensor& up, const Projection& projection);

}  // namespace entune
