#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

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
  const std::int64_t part = vocabulary.end - vocabulary.begin;
  at::Tensor logits = at::mm(hidden, weight.t());
  const at::Tensor absent = targets.lt(vocabulary.begin).logical_or_(targets.ge(vocabulary.end));
  const at::Tensor target = targets.sub(vocabulary.begin).masked_fill_(absent, 0);
  const auto wide = logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor target_logit =
      part == 0 ? at::zeros({hidden.size(0)}, hidden.options().dtype(wide))
                : logits.gather(1, target.unsqueeze(1)).squeeze(1).to(wide).masked_fill_(absent, 0);
  const SoftmaxPart softmax = softmax_part(logits);

  // log sum exp over the whole vocabulary from the parts', and the target's logit from the rank that has it.
  at::Tensor largest = softmax.lse.clone();
  vocabulary.group->all_reduce(largest, ReduceOp::max);
  at::Tensor sums = at::stack({softmax.lse.sub(largest).exp_(), target_logit});
  vocabulary.group->all_reduce(sums, ReduceOp::sum);
  const at::Tensor lse = sums[0].log().add_(largest);
  Chunk result;
  result.loss = lse.sub(sums[1]).mul_(weights).sum();

  // d loss / d logits = weight * (softmax over everything - target's one-hot). The difference is taken before it is
  // rounded to a lower type: where the model is sure, both terms are near 1 and what counts is far below. A rank that
  // has all of the vocabulary applies the weights to the smaller matrices.
  at::Tensor difference = softmax.probabilities;
  const bool is_whole = vocabulary.group->size() == 1;
  if (!is_whole) difference.mul_(softmax.lse.sub(lse).exp_().mul_(weights).unsqueeze(1));
  if (part > 0) {
    const at::Tensor one_hot = is_whole ? at::ones_like(weights) : weights.masked_fill(absent, 0);
    difference.scatter_add_(1, target.unsqueeze(1), one_hot.neg().unsqueeze(1));
  }
  difference = difference.to(hidden.scalar_type());
  const at::Tensor row_weights = weights.to(hidden.scalar_type()).unsqueeze(1);
  if (needs_hidden) {
    result.grad_hidden = at::mm(difference, weight);
    if (is_whole) result.grad_hidden.mul_(row_weights);
  }
  if (grad_weight.defined() && part > 0) {
    grad_weight.narrow(0, 0, part).addmm_(difference.t(), is_whole ? hidden.mul(row_weights) : hidden);
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
