#pragma once

#include <c10/core/TensorOptions.h>

#include <cstdint>

#include "trainer/model/decoder_model.h"

namespace entune {

/// The weights that tokens are multiplied with, over all ranks of the tensor axis; adapters, norms and the lookup in
/// the embedding not counted. Every row of a batch passes `all_rows` of them; only rows that carry a loss pass
/// `loss_rows`: the head, and of the last block what follows its keys, values and queries.
struct MatmulWeights {
  std::int64_t all_rows = 0;
  std::int64_t loss_rows = 0;
};

MatmulWeights matmul_weights(DecoderModel& model);

/// The shape of x [rows, in] times the transpose of W [out, in].
struct MatmulShape {
  std::int64_t rows = 0;
  std::int64_t in = 0;
  std::int64_t out = 0;
};

/// Floating-point operations a second of that product of tensors of this dtype and device, 2 * rows * in * out each:
/// the best of several rounds that together take about `seconds`.
double measure_matmul(const MatmulShape& shape, const c10::TensorOptions& options, double seconds);

}  // namespace entune
