#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <utility>

#include "trainer/kernels/cross_entropy.h"
#include "trainer/layers/vocab_parallel.h"

namespace entune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Vocabulary {
  std::int64_t begin, end;  ///< of this rank
  Communicator* group;
};

/// Rows of one chunk: its loss, and the gradients of its hidden rows (and of W).
struct Chunk {
  at::Tensor loss;         ///< scalar
  at::Tensor grad_hidden;  ///< [n, C]
};

Chunk cross_entropy_chunk(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                          const at::Tensor& weights, const Vocabulary& vocabulary, bool needs_hidden,
                          at::Tensor& grad_weight) {
  LogitRows rows = read_logits(at::mm(hidden, weight.t()), targets, vocabulary.begin);
  // log sum exp over the whole vocabulary from the parts', and the target's logit from the rank that has it.
  at::Tensor lse = rows.lse, target_logit = rows.target_logit;
  if (vocabulary.group->size() > 1) {
    at::Tensor largest = rows.lse.clone();
    vocabulary.group->all_reduce(largest, ReduceOp::max);
    at::Tensor sums = at::stack({rows.lse.sub(largest).exp_(), target_logit});
    vocabulary.group->all_reduce(sums, ReduceOp::sum);
    lse = sums[0].log().add_(largest);
    target_logit = sums[1];
  }
  Chunk result;
  result.loss = lse.sub(target_logit).mul_(weights).sum();
  if (!needs_hidden && !grad_weight.defined()) return result;

  const at::Tensor d_logits =
      logit_gradients(std::move(rows), targets, vocabulary.begin, lse, weights, hidden.scalar_type());
  if (needs_hidden) result.grad_hidden = at::mm(d_logits, weight);
  if (grad_weight.defined() && weight.size(0) > 0) {
    grad_weight.narrow(0, 0, weight.size(0)).addmm_(d_logits.t(), hidden);
  }
  return result;
}

class CrossEntropy : public torch::autograd::Function<CrossEntropy> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const Vocabulary& vocabulary, bool needs_hidden, bool needs_weight,
                            const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                            const at::Tensor& weights) {
    const std::int64_t num_rows = hidden.size(0), part = vocabulary.end - vocabulary.begin;
    const at::Tensor valid = weight.narrow(0, 0, part);
    const auto wide = hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    at::Tensor loss = at::zeros({}, hidden.options().dtype(wide));
    const at::Tensor grad_hidden = needs_hidden ? at::empty_like(hidden) : at::Tensor();
    at::Tensor grad_weight = needs_weight ? at::zeros_like(weight) : at::Tensor();
    const std::int64_t rows = cross_entropy_chunk_rows(part);
    for (std::int64_t begin = 0; begin < num_rows; begin += rows) {
      const std::int64_t n = std::min(rows, num_rows - begin);
      const Chunk chunk =
          cross_entropy_chunk(hidden.narrow(0, begin, n), valid, targets.narrow(0, begin, n),
                              weights.narrow(0, begin, n).to(wide), vocabulary, needs_hidden, grad_weight);
      loss.add_(chunk.loss);
      if (needs_hidden) grad_hidden.narrow(0, begin, n).copy_(chunk.grad_hidden);
    }
    ctx->save_for_backward({grad_hidden, grad_weight});
    return loss;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    variable_list saved = ctx->get_saved_variables();
    for (at::Tensor& g : saved) {
      if (g.defined()) g = g.mul(grads[0].to(g.scalar_type()));
    }
    return {{}, {}, {}, saved[0], saved[1], {}, {}};
  }
};

}  // namespace

at::Tensor vocab_parallel_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                                        const at::Tensor& weights, std::int64_t vocab_size, const Shard& shard,
                                        const ResidualRows& stream) {
  const Vocabulary vocabulary{shard.begin(vocab_size), shard.end(vocab_size), &stream.group};
  const at::Tensor inside = stream.enter(hidden);
  const bool recording = at::GradMode::is_enabled();
  return CrossEntropy::apply(vocabulary, recording && inside.requires_grad(), recording && weight.requires_grad(),
                             inside, weight, targets, weights);
}

at::Tensor vocab_parallel_logits(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size,
                                 const Shard& shard, Communicator& group) {
  at::NoGradGuard no_grad;
  const at::Tensor part = at::mm(hidden, weight.t()).to(at::kFloat);
  if (group.size() == 1) return part;
  const std::int64_t num_rows = hidden.size(0);
  at::Tensor parts = at::empty({shard.size * num_rows, part.size(1)}, part.options());
  group.all_gather(parts, part);
  return parts.view({shard.size, num_rows, -1})
      .transpose(0, 1)
      .reshape({num_rows, -1})
      .narrow(1, 0, vocab_size)
      .contiguous();
}

}  // namespace entune
