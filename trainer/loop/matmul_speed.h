#pragma once

#include <c10/core/TensorOptions.h>

#include "trainer/plan/operator_costs.h"

namespace entune {

/// Floating-point operations a second of x [rows, in] times the transpose of W [out, in], tensors of this dtype and
/// device: the best of several rounds that together take about `seconds`.
double measure_matmul(const ProductShape& shape, const c10::TensorOptions& options, double seconds);

}  // namespace entune
