#include "trainer/model/checkpointed_block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "trainer/kernels/context_value.h"

namespace entune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Rerun {
  const DecoderBlock* block;
  std::shared_ptr<const BatchContext> batch;
  at::Tensor rows;

  at::Tensor operator()(const at::Tensor& x) const {
    const Residual output = block->forward({x, {}}, *batch, rows);
    return output.x.add(output.branch);
  }
};

class Checkpoint : public torch::autograd::Function<Checkpoint> {
 public:
  // `always_differentiable` ties the parameters' gradients to the graph where x needs none (a frozen embedding below).
  static at::Tensor forward(AutogradContext* ctx, const Rerun& run, const at::Tensor& x,
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
    const at::Tensor output = kept_value<Rerun>(ctx, "run")(x);
    torch::autograd::backward({output}, {grads[0]});
    return {{}, x.grad(), {}};
  }
};

}  // namespace

at::Tensor checkpointed_forward(const DecoderBlock& block, const at::Tensor& x,
                                std::shared_ptr<const BatchContext> batch, const at::Tensor& rows) {
  const at::Tensor always_differentiable = at::zeros({}, x.options()).set_requires_grad(true);
  return Checkpoint::apply(Rerun{&block, std::move(batch), rows}, x, always_differentiable);
}

}  // namespace entune
