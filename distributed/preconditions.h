#pragma once

#include <ATen/core/Tensor.h>

namespace entune {

// What every transport checks of its arguments before it moves a byte (communicator.h states the contract). TORCH_CHECK
// on a breach; `call` is the collective's name.

/// Defined, contiguous and of a dtype that communicators carry.
void check_transportable(const at::Tensor& tensor, const char* call);
/// Both transportable, of one dtype and without shared memory; whole [R * n, ...] is `size` times part [n, ...].
void check_parts(const at::Tensor& whole, const at::Tensor& part, int size, const char* call);
/// For transports that read host memory.
void check_on_cpu(const at::Tensor& tensor, const char* call);
void check_root(int root, int size, const char* call);

}  // namespace entune
