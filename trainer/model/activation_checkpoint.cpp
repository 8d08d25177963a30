#include "trainer/model/activation_checkpoint.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

#include "trainer/kernels/context_value.h"

namespace entune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using Run = std::function<at::Tensor(const at::Tensor&)>;

class Checkpoint : public torch::autograd::Function<Checkpoint> {
 public:
  // `always_differentiable` ties the parameters' gradients to the graph where x needs none (a frozen embedding below).
  static at::Tensor forward(AutogradContext* ctx, const Run& run, const at::Tensor& x,
                            const at::Tensor& always_differentiable) {
    (void)always_differentiable;
    ctx->save_for_backward({x});
    keep_value(ctx, "run", run);
    ctx->saved_data["x_requires_grad"] = x.requires_grad();
    return run(x);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    at::AutoGradMode recording(true);
    const at::Tensor x = saved[0].detach().set_requires_grad(ctx->saved_data["x_requires_grad"].toBool());
    const at::Tensor output = kept_value<Run>(ctx, "run")(x);
    torch::autograd::backward({output}, {grads[0]});
    return {{}, x.grad(), {}};
  }
};

}  // namespace

at::Tensor activation_checkpoint(Run run, const at::Tensor& x) {
  const at::Tensor always_differentiable = at::zeros({}, x.options()).set_requires_grad(true);
  return Checkpoint::apply(std::move(run), x, always_differentiable);
}

}  // namespace entune
