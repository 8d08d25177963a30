#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace entune {

/// run(x) without what it would keep for the backward, which runs it again from x and adds its parameters' gradients to
/// their .grad directly. `run` gives the same every time; what it refers to must outlive the graph.
at::Tensor activation_checkpoint(std::function<at::Tensor(const at::Tensor&)> run, const at::Tensor& x);

}  // namespace entune
