#include "distributed/parallel_regions.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "distributed/sharding.h"

namespace entune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// A graph node keeps the address of its group; the group outlives the graph by contract.
void save_group(AutogradContext* context, Communicator* group) {
  context->saved_data["group"] = reinterpret_cast<std::int64_t>(group);
}
Communicator& saved_group(AutogradContext* context) {
  return *reinterpret_cast<Communicator*>(context->saved_data["group"].toInt());
}

at::Tensor sum_over(const at::Tensor& x, Communicator& group) {
  at::Tensor sum = x.clone(at::MemoryFormat::Contiguous);
  group.all_reduce(sum, ReduceOp::sum);
  return sum;
}

/// The parts of all ranks, laid end to end along `dim`.
at::Tensor gather(const at::Tensor& part, std::int64_t dim, Communicator& group) {
  const at::Tensor input = part.movedim(dim, 0).contiguous();
  std::vector<std::int64_t> shape = input.sizes().vec();
  shape[0] *= group.size();
  at::Tensor whole = at::empty(shape, input.options());
  group.all_gather(whole, input);
  return whole.movedim(0, dim).contiguous();
}

at::Tensor slice(const at::Tensor& whole, std::int64_t dim, Communicator& group) {
  TORCH_CHECK(whole.size(dim) % group.size() == 0, "expected a size that ", group.size(), " ranks divide, found ",
              whole.size(dim), " along ", dim);
  const std::int64_t part = whole.size(dim) / group.size();
  return whole.narrow(dim, group.rank() * part, part).contiguous();
}

/// The parts of all ranks along the first dimension, without what stands beyond `num_rows`.
at::Tensor gather_rows(const at::Tensor& part, std::int64_t num_rows, Communicator& group) {
  return gather(part, 0, group).narrow(0, 0, num_rows);
}

/// This rank's part of the sum along the first dimension, which zero rows fill up to a length that the ranks divide.
at::Tensor reduce_scatter_rows(const at::Tensor& x, Communicator& group) {
  const std::int64_t num_rows = x.size(0), part_rows = Shard{0, group.rank(), group.size()}.part(num_rows);
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape[0] = part_rows * group.size() - num_rows;
  const at::Tensor whole = shape[0] == 0 ? x.contiguous() : at::cat({x, at::zeros(shape, x.options())});
  shape[0] = part_rows;
  at::Tensor part = at::empty(shape, x.options());
  group.reduce_scatter(part, whole);
  return part;
}

struct CopyToRegion : Function<CopyToRegion> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Communicator* group) {
    save_group(context, group);
    return x;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {sum_over(gradients[0], saved_group(context)), at::Tensor()};
  }
};

struct ReduceFromRegion : Function<ReduceFromRegion> {
  static at::Tensor forward(AutogradContext*, const at::Tensor& x, Communicator* group) { return sum_over(x, *group); }
  static variable_list backward(AutogradContext*, variable_list gradients) { return {gradients[0], at::Tensor()}; }
};

struct GatherFromRegion : Function<GatherFromRegion> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, std::int64_t dim, Communicator* group) {
    save_group(context, group);
    context->saved_data["dim"] = dim;
    return gather(x, dim, *group);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {slice(gradients[0], context->saved_data["dim"].toInt(), saved_group(context)), at::Tensor(), at::Tensor()};
  }
};

struct GatherToRegion : Function<GatherToRegion> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, std::int64_t num_rows, Communicator* group) {
    save_group(context, group);
    return gather_rows(x, num_rows, *group);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {reduce_scatter_rows(gradients[0], saved_group(context)), at::Tensor(), at::Tensor()};
  }
};

struct ReduceScatterFromRegion : Function<ReduceScatterFromRegion> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Communicator* group) {
    save_group(context, group);
    context->saved_data["num_rows"] = x.size(0);
    return reduce_scatter_rows(x, *group);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gather_rows(gradients[0], context->saved_data["num_rows"].toInt(), saved_group(context)), at::Tensor()};
  }
};

struct ScatterToRegion : Function<ScatterToRegion> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, std::int64_t dim, Communicator* group) {
    save_group(context, group);
    context->saved_data["dim"] = dim;
    return slice(x, dim, *group);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gather(gradients[0], context->saved_data["dim"].toInt(), saved_group(context)), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor copy_to_region(const at::Tensor& x, Communicator& group) {
  return group.size() == 1 ? x : CopyToRegion::apply(x, &group);
}

at::Tensor reduce_from_region(const at::Tensor& x, Communicator& group) {
  return group.size() == 1 ? x : ReduceFromRegion::apply(x, &group);
}

at::Tensor gather_from_region(const at::Tensor& x, std::int64_t dim, Communicator& group) {
  return group.size() == 1 ? x : GatherFromRegion::apply(x, dim, &group);
}

at::Tensor gather_to_region(const at::Tensor& x, Communicator& group, std::optional<std::int64_t> num_rows) {
  return group.size() == 1 ? x : GatherToRegion::apply(x, num_rows.value_or(x.size(0) * group.size()), &group);
}

at::Tensor reduce_scatter_from_region(const at::Tensor& x, Communicator& group) {
  return group.size() == 1 ? x : ReduceScatterFromRegion::apply(x, &group);
}

at::Tensor scatter_to_region(const at::Tensor& x, std::int64_t dim, Communicator& group) {
  return group.size() == 1 ? x : ScatterToRegion::apply(x, dim, &group);
}

}  // namespace entune
