#include "trainer/kernels/linear.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/custom_function.h>

#include "trainer/kernels/context_value.h"
#include "trainer/kernels/swiglu.h"

namespace entune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What of a projection is no tensor.
struct AdapterConstants {
  double scale;
  AdapterDropout dropout;
};

/// Tensors of a projection in the lists that autograd sees, and their places among its kTensors.
constexpr std::size_t kWeight = 0, kBias = 1, kA = 2, kB = 3, kTensors = 4;

bool present(const at::Tensor& tensor) { return tensor.numel() > 0; }

/// 0 or 1 / (1 - p) for each element of x.
at::Tensor dropout_mask(const at::Tensor& x, const AdapterDropout& dropout) {
  at::Generator generator = at::detail::createCPUGenerator(dropout.seed);
  at::Tensor mask = at::empty({x.size(0), dropout.full}, at::TensorOptions(x.is_meta() ? at::kMeta : at::kCPU));
  if (!x.is_meta()) mask.bernoulli_(1.0 - dropout.probability, generator);
  return mask.narrow(1, dropout.begin, x.size(1)).div(1.0 - dropout.probability).to(x.options());
}

/// The adapters of a group of projections that share x. Their A stand stacked, so that without dropout x is read once
/// for all of them.
class AdapterGroup {
 public:
  /// `casts` are those of an earlier group of the same tensors; empty: they are made here.
  AdapterGroup(const variable_list& tensors, const std::vector<AdapterConstants>& constants, at::ScalarType dtype,
               variable_list casts = {})
      : casts_(std::move(casts)) {
    std::vector<at::Tensor> all_a, all_b;
    for (std::size_t i = 0; i < constants.size(); ++i) {
      const at::Tensor &a = tensors[kTensors * i + kA], &b = tensors[kTensors * i + kB];
      if (!present(a)) continue;
      members_.push_back({.index = i, .begin = rank_, .rank = a.size(0), .type = a.scalar_type()});
      rank_ += a.size(0);
      with_dropout_ = with_dropout_ || constants[i].dropout.probability > 0.0;
      all_a.push_back(a);
      all_b.push_back(b);
    }
    if (members_.empty() || !casts_.empty()) return;
    casts_.push_back((all_a.size() == 1 ? all_a[0] : at::cat(all_a)).to(dtype));
    for (const at::Tensor& b : all_b) casts_.push_back(b.to(dtype));
  }

  bool empty() const { return members_.empty(); }

  /// All A stacked, then each B, in the type of x: what the backward needs again.
  const variable_list& casts() const { return casts_; }

  /// x A^T of all members, [T, sum of ranks].
  at::Tensor project_down(const at::Tensor& x, const std::vector<AdapterConstants>& constants) const {
    if (!with_dropout_) return at::mm(x, casts_[0].t());
    at::Tensor down = at::empty({x.size(0), rank_}, x.options());
    for (const Member& m : members_) {
      columns(down, m).copy_(at::mm(dropped(x, constants[m.index]), a_of(m).t()));
    }
    return down;
  }

  /// outputs[i] += scale * down_i B_i^T.
  void add_up(std::vector<at::Tensor>& outputs, const at::Tensor& down,
              const std::vector<AdapterConstants>& constants) const {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const Member& m = members_[i];
      outputs[m.index].addmm_(columns(down, m), casts_[1 + i].t(), 1.0, constants[m.index].scale);
    }
  }

  /// Adds the adapters' part of the gradient of x to dx (if defined) and writes those of A and B, in their own types,
  /// to their places in grads.
  void backward(const variable_list& grad_outputs, const at::Tensor& x, const at::Tensor& down,
                const std::vector<AdapterConstants>& constants, at::Tensor& dx, variable_list& grads) const {
    const at::Tensor d_down = at::empty({x.size(0), rank_}, x.options());
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const Member& m = members_[i];
      const at::Tensor& dy = grad_outputs[m.index];
      if (!dy.defined()) {
        columns(d_down, m).zero_();
        continue;
      }
      const double scale = constants[m.index].scale;
      columns(d_down, m).addmm_(dy, casts_[1 + i], 0.0, scale);
      at::Tensor db = at::empty_like(casts_[1 + i]);
      grads[kTensors * m.index + kB] = db.addmm_(dy.t(), columns(down, m), 0.0, scale).to(m.type);
    }
    if (!with_dropout_) {
      if (dx.defined()) dx.addmm_(d_down, casts_[0]);
      const at::Tensor d_stacked = at::mm(d_down.t(), x).to(members_[0].type);
      for (const Member& m : members_) grads[kTensors * m.index + kA] = d_stacked.narrow(0, m.begin, m.rank);
      return;
    }
    for (const Member& m : members_) {
      const at::Tensor part = columns(d_down, m);
      grads[kTensors * m.index + kA] = at::mm(part.t(), dropped(x, constants[m.index])).to(m.type);
      if (!dx.defined()) continue;
      at::Tensor d_dropped = at::mm(part, a_of(m));
      if (constants[m.index].dropout.probability > 0.0) d_dropped.mul_(dropout_mask(x, constants[m.index].dropout));
      dx.add_(d_dropped);
    }
  }

 private:
  struct Member {
    std::size_t index;         ///< of the projection
    std::int64_t begin, rank;  ///< columns of `down`
    at::ScalarType type;       ///< of the parameters
  };

  static at::Tensor columns(const at::Tensor& down, const Member& m) { return down.narrow(1, m.begin, m.rank); }
  at::Tensor a_of(const Member& m) const { return casts_[0].narrow(0, m.begin, m.rank); }

  static at::Tensor dropped(const at::Tensor& x, const AdapterConstants& constants) {
    return constants.dropout.probability > 0.0 ? x.mul(dropout_mask(x, constants.dropout)) : x;
  }

  std::vector<Member> members_;
  variable_list casts_;
  std::int64_t rank_ = 0;
  bool with_dropout_ = false;
};

/// Tensors of the projections, kTensors each; empty ones for what is not there (autograd takes no undefined ones).
variable_list tensors_of(const std::vector<Projection>& projections, std::vector<AdapterConstants>& constants) {
  variable_list tensors;
  for (const Projection& p : projections) {
    const at::Tensor absent = at::empty({0}, p.weight.options().requires_grad(false));
    const auto or_absent = [&](const at::Tensor& tensor) { return tensor.defined() ? tensor : absent; };
    tensors.insert(tensors.end(), {p.weight, or_absent(p.bias), or_absent(p.lora_a), or_absent(p.lora_b)});
    constants.push_back({p.scale, p.dropout});
  }
  return tensors;
}

/// The outputs; `saved` grows by what the backward wants: x A^T, `tensors` and the adapters' casts.
std::vector<at::Tensor> project_forward(const at::Tensor& x, const variable_list& tensors,
                                        const std::vector<AdapterConstants>& constants, variable_list& saved) {
  std::vector<at::Tensor> outputs;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const at::Tensor &weight = tensors[kTensors * i + kWeight], &bias = tensors[kTensors * i + kBias];
    outputs.push_back(present(bias) ? at::addmm(bias, x, weight.t()) : at::mm(x, weight.t()));
  }
  const AdapterGroup adapters(tensors, constants, x.scalar_type());
  at::Tensor down;
  if (!adapters.empty()) {
    down = adapters.project_down(x, constants);
    adapters.add_up(outputs, down, constants);
  }
  saved.push_back(down);
  saved.insert(saved.end(), tensors.begin(), tensors.end());
  saved.insert(saved.end(), adapters.casts().begin(), adapters.casts().end());
  return outputs;
}

/// What project_forward saved behind `begin` tensors of its caller's.
struct SavedProjections {
  SavedProjections(const variable_list& saved, std::size_t begin, std::size_t num_projections)
      : down(saved[begin]),
        tensors(saved.begin() + begin + 1, saved.begin() + begin + 1 + kTensors * num_projections),
        casts(saved.begin() + begin + 1 + kTensors * num_projections, saved.end()) {}
  at::Tensor down;
  variable_list tensors, casts;
};

/// Gradient of x (undefined if not needed); those of W, b, A, B in `grads`. needs_weight[i]: whether W_i, and b_i with
/// it, is trained.
at::Tensor project_backward(const variable_list& grad_outputs, const at::Tensor& x, const SavedProjections& saved,
                            const std::vector<AdapterConstants>& constants, bool needs_x,
                            const std::vector<bool>& needs_weight, variable_list& grads) {
  at::Tensor dx;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const at::Tensor &dy = grad_outputs[i], &weight = saved.tensors[kTensors * i + kWeight];
    if (!dy.defined()) continue;
    if (needs_x) {
      if (dx.defined()) {
        dx.addmm_(dy, weight);
      } else {
        dx = at::mm(dy, weight);
      }
    }
    if (needs_weight[i]) {
      grads[kTensors * i + kWeight] = at::mm(dy.t(), x);
      if (present(saved.tensors[kTensors * i + kBias])) grads[kTensors * i + kBias] = dy.sum(0);
    }
  }
  const AdapterGroup adapters(saved.tensors, constants, x.scalar_type(), saved.casts);
  if (!adapters.empty()) adapters.backward(grad_outputs, x, saved.down, constants, dx, grads);
  return dx;
}

class Project : public torch::autograd::Function<Project> {
 public:
  static variable_list forward(AutogradContext* ctx, const std::vector<AdapterConstants>& constants,
                               const PartialInput& partial, const at::Tensor& x, at::TensorList tensors) {
    variable_list saved = {x};
    const std::vector<at::Tensor> outputs =
        project_forward(partial.whole ? partial.whole(x) : x, tensors.vec(), constants, saved);
    ctx->save_for_backward(saved);
    ctx->set_materialize_grads(false);
    keep_value(ctx, "constants", constants);
    keep_value(ctx, "partial", partial);
    return outputs;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const variable_list all = ctx->get_saved_variables();
    const auto& constants = kept_value<std::vector<AdapterConstants>>(ctx, "constants");
    const auto& partial = kept_value<PartialInput>(ctx, "partial");
    const SavedProjections saved(all, 1, constants.size());
    std::vector<bool> needs_weight;
    bool reads_x = false;
    for (std::size_t i = 0; i < constants.size(); ++i) {
      needs_weight.push_back(ctx->needs_input_grad(1 + kTensors * i + kWeight));
      reads_x = reads_x || needs_weight[i] || present(saved.tensors[kTensors * i + kA]);
    }
    const at::Tensor x = partial.whole && reads_x ? partial.whole(all[0]) : all[0];
    variable_list grads(saved.tensors.size());
    at::Tensor dx = project_backward(grad_outputs, x, saved, constants, ctx->needs_input_grad(0), needs_weight, grads);
    if (partial.part_of_sum && dx.defined()) dx = partial.part_of_sum(dx);
    grads.insert(grads.begin(), {at::Tensor(), at::Tensor(), dx});
    return grads;
  }
};

class SwigluProject : public torch::autograd::Function<SwigluProject> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const std::vector<AdapterConstants>& constants,
                            const at::Tensor& gate, const at::Tensor& up, at::TensorList tensors) {
    variable_list saved = {gate, up};
    const std::vector<at::Tensor> outputs = project_forward(swiglu(gate, up), tensors.vec(), constants, saved);
    ctx->save_for_backward(saved);
    keep_value(ctx, "constants", constants);
    return outputs[0];
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const variable_list all = ctx->get_saved_variables();
    const auto& constants = kept_value<std::vector<AdapterConstants>>(ctx, "constants");
    const SavedProjections saved(all, 2, constants.size());
    const at::Tensor &gate = all[0], &up = all[1];
    variable_list grads(saved.tensors.size());
    const bool needs_product = ctx->needs_input_grad(2 + kWeight) || present(saved.tensors[kA]);
    const at::Tensor product = needs_product ? swiglu(gate, up) : gate;
    at::Tensor d_product =
        project_backward(grad_outputs, product, saved, constants, ctx->needs_input_grad(0) || ctx->needs_input_grad(1),
                         {ctx->needs_input_grad(2 + kWeight)}, grads);
    at::Tensor d_gate, d_up;
    if (d_product.defined()) std::tie(d_gate, d_up) = swiglu_backward(d_product, gate, up);
    grads.insert(grads.begin(), {at::Tensor(), d_gate, d_up});
    return grads;
  }
};

}  // namespace

std::vector<at::Tensor> project(const at::Tensor& x, const std::vector<Projection>& projections,
                                const PartialInput& partial) {
  std::vector<AdapterConstants> constants;
  const variable_list tensors = tensors_of(projections, constants);
  return Project::apply(constants, partial, x, at::TensorList(tensors));
}

at::Tensor swiglu_project(const at::Tensor& gate, const at::Tensor& up, const Projection& projection) {
  std::vector<AdapterConstants> constants;
  const variable_list tensors = tensors_of({projection}, constants);
  return SwigluProject::apply(constants, gate, up, at::TensorList(tensors));
}

}  // namespace entune
