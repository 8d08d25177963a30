#include "distributed/preconditions.h"

#include <ATen/ATen.h>
#include <ATen/MemoryOverlap.h>

namespace entune {

void check_transportable(const at::Tensor& tensor, const char* call) {
  TORCH_CHECK(tensor.defined(), call, ": expected a tensor, found an undefined one");
  TORCH_CHECK(tensor.is_contiguous(), call, ": expected a contiguous tensor, found sizes ", tensor.sizes(),
              " with strides ", tensor.strides());
  const at::ScalarType type = tensor.scalar_type();
  TORCH_CHECK(
      type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kLong || type == at::kByte,
      call, ": expected float32, float64, bfloat16, int64 or uint8, found ", type);
}

void check_parts(const at::Tensor& whole, const at::Tensor& part, int size, const char* call) {
  check_transportable(whole, call);
  check_transportable(part, call);
  TORCH_CHECK(whole.device() == part.device(), call, ": expected one device, found ", whole.device(), " and ",
              part.device());
  TORCH_CHECK(whole.scalar_type() == part.scalar_type(), call, ": expected one dtype, found ", whole.scalar_type(),
              " and ", part.scalar_type());
  TORCH_CHECK(whole.dim() > 0 && part.dim() == whole.dim() && whole.size(0) == size * part.size(0) &&
                  whole.sizes().slice(1) == part.sizes().slice(1),
              call, ": expected [", size, " * n, ...] and [n, ...], found ", whole.sizes(), " and ", part.sizes());
  at::assert_no_overlap(whole, part);
}

void check_on_cpu(const at::Tensor& tensor, const char* call) {
  TORCH_CHECK(tensor.device().is_cpu(), call, ": expected a tensor on the CPU, found one on ", tensor.device());
}

void check_root(int root, int size, const char* call) {
  TORCH_CHECK(root >= 0 && root < size, call, ": expected a root below ", size, ", found ", root);
}

}  // namespace entune
