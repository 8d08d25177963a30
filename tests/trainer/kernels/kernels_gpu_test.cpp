// Every kernel on a GPU against the same function on the CPU, in float64 where that has the type. Skipped without a
// GPU.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <iostream>

#include "distributed/cuda_devices.h"
#include "tests/trainer/kernels/relative_error.h"
#include "trainer/kernels/adamw_update.h"
#include "trainer/kernels/attention_merge.h"
#include "trainer/kernels/cached_attention.h"
#include "trainer/kernels/cross_entropy.h"
#include "trainer/kernels/fused_attention.h"
#include "trainer/kernels/packed_attention.h"
#include "trainer/kernels/rms_norm.h"
#include "trainer/kernels/rotary.h"
#include "trainer/kernels/swiglu.h"

namespace entune {
namespace {

const at::Device kGpu(at::kCUDA, 0);

void expect_close(const at::Tensor& found, const at::Tensor& expected, double tolerance, const std::string& what) {
  ASSERT_TRUE(found.is_cuda()) << what;
  test::expect_close(found.cpu(), expected, tolerance, what);
}

class KernelsOnGpu : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (visible_gpus().empty()) GTEST_SKIP() << "missing: a GPU";
    at::manual_seed(7);
  }
  double tolerance() const { return GetParam() == at::kFloat ? 1e-5 : 1e-2; }
  /// Random values that GetParam() holds exactly, in float64 on the CPU.
  at::Tensor random(at::IntArrayRef shape) const { return at::randn(shape).to(GetParam()).to(at::kDouble); }
  at::Tensor on_gpu(const at::Tensor& x) const { return x.to(at::TensorOptions(kGpu).dtype(GetParam())); }
};
INSTANTIATE_TEST_SUITE_P(Types, KernelsOnGpu, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST_P(KernelsOnGpu, MergeAttention) {
  for (const std::int64_t dim : {64, 128, 80, 20, 3}) {
    const at::Tensor out = random({57, 5, dim}), other = random({57, 5, dim}), lse = at::randn({57, 5}),
                     other_lse = at::randn({57, 5});
    at::Tensor expected = out.clone(), expected_lse = lse.to(at::kDouble);
    merge_attention_(expected, expected_lse, other, other_lse.to(at::kDouble));
    // As the flash operators leave them: the log-sum-exp by heads.
    at::Tensor found = on_gpu(out), found_lse = lse.t().contiguous().to(kGpu).t();
    merge_attention_(found, found_lse, on_gpu(other), other_lse.t().contiguous().to(kGpu).t());
    expect_close(found, expected, tolerance(), "out");
    expect_close(found_lse, expected_lse, 1e-5, "log-sum-exp");
  }
}

struct AttentionCase {
  std::int64_t heads, kv_heads, dim, prefix;
  std::vector<std::int64_t> leaves;
  std::optional<std::int64_t> window;
};

TEST_P(KernelsOnGpu, PackedAttention) {
  const std::vector<AttentionCase> cases = {
      {9, 3, 64, 37, {11, 3, 40}, {}}, {4, 4, 128, 5, {1, 1, 7}, {}},
      {8, 1, 128, 1, {13}, {}},        {2, 1, 64, 0, {17, 5}, {}},
      {2, 1, 80, 8, {}, {}},           {3, 3, 64, 600, {70, 1}, {}},
      {2, 1, 64, 6, {3, 0, 4}, {}},    {4, 2, 64, 10, {6, 12}, 5},
      {4, 2, 64, 0, {16, 16, 16}, {}}, {4, 2, 64, 8, {8, 8}, {}},  // segments of one length
      {2, 1, 20, 30, {9, 2}, {}},  // heads that the flash operators do not take
  };
  for (const AttentionCase& c : cases) {
    for (const std::int64_t part : {std::int64_t{0}, c.prefix / 2}) {
      if (part > 0 && c.prefix % 2 != 0) continue;
      SCOPED_TRACE(testing::Message() << c.heads << "/" << c.kv_heads << " heads of " << c.dim << ", prefix "
                                      << c.prefix << " from " << part << ", " << c.leaves.size() << " leaves");
      PackedLayout layout{.prefix_tokens = c.prefix, .leaf_offsets = {c.prefix - part}, .sliding_window = c.window};
      layout.prefix_begin = part;
      layout.prefix_rows = c.prefix - part;
      for (const std::int64_t length : c.leaves) layout.leaf_offsets.push_back(layout.leaf_offsets.back() + length);
      const std::int64_t total = layout.leaf_offsets.back(), keys = total + layout.keys_ahead();
      const RotaryTables none = rotary_tables(at::zeros({total}, at::kLong), c.dim, 100.0),
                         none_of_keys = rotary_tables(at::zeros({keys}, at::kLong), c.dim, 100.0);
      const at::Tensor q = random({total, c.heads, c.dim}), k = random({keys, c.kv_heads, c.dim}),
                       v = random({keys, c.kv_heads, c.dim}), grad = random({total, c.heads, c.dim});
      const auto run = [&](const RotaryTables& of_queries, const RotaryTables& of_keys, const auto& place) {
        std::vector<at::Tensor> leaves = {place(q).set_requires_grad(true), place(k).set_requires_grad(true),
                                          place(v).set_requires_grad(true)};
        const at::Tensor out =
            packed_attention(leaves[0].clone(), leaves[1].clone(), leaves[2], of_queries, of_keys, layout);
        torch::autograd::backward({out}, {place(grad)});
        return std::vector<at::Tensor>{out, leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
      };
      const std::vector<at::Tensor> expected = run(none, none_of_keys, [](const at::Tensor& x) { return x.clone(); });
      layout.prepare_for(kGpu);
      const auto there = [](const RotaryTables& t) { return RotaryTables{t.cos.to(kGpu), t.sin.to(kGpu)}; };
      const std::vector<at::Tensor> found =
          run(there(none), there(none_of_keys), [&](const at::Tensor& x) { return on_gpu(x); });
      const char* const names[] = {"out", "dq", "dk", "dv"};
      for (std::size_t i = 0; i < found.size(); ++i) expect_close(found[i], expected[i], 2 * tolerance(), names[i]);
    }
  }
}

/// Each fused operator against float64, over two blocks of keys that merge: also what the backward is given is merged.
TEST_P(KernelsOnGpu, FusedAttention) {
  if (!fused_attention_takes(on_gpu(at::zeros({1})), 64)) GTEST_SKIP() << "not for " << c10::toString(GetParam());
  const std::int64_t rows = 70, keys = 37;
  for (const bool is_causal : {false, true}) {
    const std::int64_t m = is_causal ? rows : keys;
    const at::Tensor q = random({1, 4, rows, 64}), k = random({1, 2, m, 64}), v = random({1, 2, m, 64}),
                     grad = random({1, 4, rows, 64}), other_k = random({1, 2, 20, 64}),
                     other_v = random({1, 2, 20, 64});
    const auto merged = [](DenseAttention a, const DenseAttention& b) {
      at::Tensor out = a.out[0].transpose(0, 1), lse = a.lse[0].t();
      merge_attention_(out, lse, b.out[0].transpose(0, 1), b.lse[0].t());
      return a;
    };
    const DenseAttention other = dense_attention(q, other_k, other_v, false),
                         alone = dense_attention(q, k, v, is_causal),
                         whole = merged({alone.out.clone(), alone.lse.clone()}, other);
    const AttentionGradients expected = dense_attention_backward(grad, q, k, v, whole, is_causal);
    const DenseAttention given{on_gpu(whole.out), whole.lse.to(at::TensorOptions(kGpu).dtype(at::kFloat))};
    const auto check = [&](const auto& attention, const auto& backward, const std::string& name) {
      SCOPED_TRACE(name);
      try {
        const DenseAttention found = attention(on_gpu(q), on_gpu(k), on_gpu(v), is_causal);
        expect_close(found.out, alone.out, tolerance(), "out");
        expect_close(found.lse, alone.lse, tolerance(), "log-sum-exp");
        const AttentionGradients g = backward(on_gpu(grad), on_gpu(q), on_gpu(k), on_gpu(v), given, is_causal);
        expect_close(g.q, expected.q, 2 * tolerance(), "dq");
        expect_close(g.k, expected.k, 2 * tolerance(), "dk");
        expect_close(g.v, expected.v, 2 * tolerance(), "dv");
      } catch (const c10::Error& e) {
        // What the chooser takes for a reason to stay with flash.
        ASSERT_NE(name, "flash") << e.what_without_backtrace();
        ASSERT_NE(name, "chosen") << e.what_without_backtrace();
        std::cout << "cuDNN does not take it: " << e.what_without_backtrace() << "\n";
      }
    };
    check(flash_attention, flash_attention_backward, "flash");
    check(cudnn_attention, cudnn_attention_backward, "cudnn");
    check(fused_attention, fused_attention_backward, "chosen");
    check(fused_attention, fused_attention_backward, "chosen");  // and remembered
  }
}

TEST_P(KernelsOnGpu, CachedAttention) {
  for (const std::int64_t prefix : {0, 21}) {
    CachedKeys cache;
    if (prefix > 0) {
      cache.prefix_keys = random({1, 2, prefix, 64});
      cache.prefix_values = random({1, 2, prefix, 64});
    }
    cache.keys = random({3, 2, 9, 64});
    cache.values = random({3, 2, 9, 64});
    cache.lengths = at::tensor({9, 1, 4}, at::kLong);
    const at::Tensor q = random({3, 6, 64});
    CachedKeys there{prefix > 0 ? on_gpu(cache.prefix_keys) : at::Tensor(),
                     prefix > 0 ? on_gpu(cache.prefix_values) : at::Tensor(), on_gpu(cache.keys), on_gpu(cache.values),
                     cache.lengths.to(kGpu)};
    there.offsets = flash_offsets(there);
    for (const std::optional<std::int64_t> window : {std::optional<std::int64_t>{}, std::optional<std::int64_t>{6}}) {
      expect_close(cached_attention(on_gpu(q), there, window), cached_attention(q, cache, window), tolerance(), "out");
    }
    cache.rows = CachedRows{at::tensor({0, 0, 0, 1, 2, 2}, at::kLong), at::tensor({0, 1, 2, 0, 0, 1}, at::kLong),
                            at::tensor({6, 7, 8, 0, 2, 3}, at::kLong), at::tensor({3, 1, 2}, at::kLong), 3};
    there.rows = CachedRows{cache.rows->leaf.to(kGpu), cache.rows->place.to(kGpu), cache.rows->slot.to(kGpu),
                            cache.rows->counts.to(kGpu), 3};
    there.offsets = flash_offsets(there);
    const at::Tensor several = random({6, 6, 64});
    for (const std::optional<std::int64_t> window : {std::optional<std::int64_t>{}, std::optional<std::int64_t>{6}}) {
      expect_close(cached_attention(on_gpu(several), there, window), cached_attention(several, cache, window),
                   tolerance(), "several rows");
    }
  }
}

TEST_P(KernelsOnGpu, NormsAndActivation) {
  const at::Tensor x = random({33, 4096}), branch = random({33, 4096}), weight = random({4096}),
                   grad = random({33, 4096});
  const auto run = [&](const auto& place) {
    std::vector<at::Tensor> leaves = {place(x).set_requires_grad(true), place(branch).set_requires_grad(true),
                                      place(weight).set_requires_grad(true)};
    const auto [sum, y] = add_rms_norm(leaves[0], leaves[1], leaves[2], 1e-5);
    torch::autograd::backward({sum, y}, {place(grad), place(grad)});
    const at::Tensor alone = rms_norm(leaves[0].detach(), leaves[2].detach(), 1e-5);
    const auto [d_gate, d_up] = swiglu_backward(place(grad), place(x), place(branch));
    return std::vector<at::Tensor>{sum,
                                   y,
                                   leaves[0].grad(),
                                   leaves[1].grad(),
                                   leaves[2].grad(),
                                   alone,
                                   d_gate,
                                   d_up,
                                   swiglu(place(x), place(branch))};
  };
  const std::vector<at::Tensor> expected = run([](const at::Tensor& t) { return t.clone(); });
  const std::vector<at::Tensor> found = run([&](const at::Tensor& t) { return on_gpu(t); });
  const char* const names[] = {"sum", "norm", "dx", "dbranch", "dw", "norm alone", "dgate", "dup", "swiglu"};
  for (std::size_t i = 0; i < found.size(); ++i) expect_close(found[i], expected[i], tolerance(), names[i]);
}

TEST_P(KernelsOnGpu, Rotary) {
  const at::Tensor positions = at::tensor({0, 1, 2, 7000, 3}, at::kLong), x = random({5, 3, 128});
  const RotaryTables tables = rotary_tables(positions, 128, 10000.0),
                     there = rotary_tables(positions.to(kGpu), 128, 10000.0);
  for (const bool inverse : {false, true}) {
    at::Tensor expected = x.clone(), found = on_gpu(x);
    rotate_(expected, tables, inverse);
    rotate_(found, there, inverse);
    expect_close(found, expected, tolerance(), "rotated");
  }
}

TEST_P(KernelsOnGpu, CrossEntropy) {
  for (const std::int64_t vocabulary : {3000, 3001}) {  // with and without runs of 16 bytes
    const at::Tensor logits = random({6, vocabulary}).mul_(10.0).to(GetParam()).to(at::kDouble),
                     targets = at::tensor({0, 1, 1999, 2000, 2999, 7}, at::kLong), weights = at::rand({6});
    const LogitRows whole = read_logits(logits.clone(), targets, 0);
    const at::Tensor expected =
        logit_gradients(whole, targets, 0, whole.lse, weights.to(at::kDouble), at::kDouble);
    at::Tensor exponentials = at::zeros({6}), target_logit = at::zeros({6});
    const std::vector<std::pair<std::int64_t, std::int64_t>> parts = {{0, 2000}, {2000, vocabulary}, {0, 0}};
    for (const auto& [begin, end] : parts) {
      const at::Tensor part = logits.narrow(1, begin, end - begin);
      const LogitRows found = read_logits(on_gpu(part), targets.to(kGpu), begin);
      exponentials.add_(found.lse.cpu().exp());
      target_logit.add_(found.target_logit.cpu());
      const at::Tensor lse = whole.lse.to(at::TensorOptions(kGpu).dtype(at::kFloat));
      expect_close(logit_gradients(found, targets.to(kGpu), begin, lse, weights.to(kGpu), GetParam()),
                   expected.narrow(1, begin, end - begin), tolerance(), "gradient");
    }
    test::expect_close(exponentials.log(), whole.lse, 1e-5, "log-sum-exp");
    test::expect_close(target_logit, whole.target_logit, 1e-6, "the target's logit");
  }
}

TEST_P(KernelsOnGpu, AdamW) {
  for (const std::int64_t size : {4096, 1003}) {  // with and without runs of 16 bytes
    AdamWStep step{.lr = 0.01, .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .weight_decay = 0.1, .gradient_scale = 0.5};
    const at::Tensor start = at::randn({size});
    const auto tensors = [&](at::Device device) {
      const at::Tensor zero = at::zeros({size}, device);
      return AdamWTensors{start.to(device, at::kFloat, /*non_blocking=*/false, /*copy=*/true), zero.clone(),
                          zero.clone(), {}, at::empty({size}, zero.options().dtype(at::kBFloat16))};
    };
    AdamWTensors here = tensors(at::kCPU), there = tensors(kGpu);
    for (step.number = 1; step.number <= 4; ++step.number) {
      const at::Tensor gradient = random({size});
      here.gradient = gradient.to(GetParam());
      there.gradient = on_gpu(gradient);
      adamw_update(here, step);
      adamw_update(there, step);
    }
    expect_close(there.master, here.master, 1e-6, "master");
    expect_close(there.first_moment, here.first_moment, 1e-6, "first moment");
    expect_close(there.second_moment, here.second_moment, 1e-6, "second moment");
    EXPECT_TRUE(at::equal(there.value, there.master.to(at::kBFloat16)));
  }
}

}  // namespace
}  // namespace entune
