// Every kernel against the formula written out in plain differentiable operations, in float64.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "tests/trainer/kernels/relative_error.h"
#include "trainer/kernels/cached_attention.h"
#include "trainer/kernels/linear.h"
#include "trainer/kernels/packed_attention.h"
#include "trainer/kernels/rms_norm.h"
#include "trainer/kernels/rotary.h"
#include "trainer/kernels/swiglu.h"

namespace entune {
namespace {

using test::expect_close;

constexpr double kFloatTolerance = 1e-5;
constexpr double kBfloat16Tolerance = 1e-2;

double tolerance(at::ScalarType dtype) { return dtype == at::kFloat ? kFloatTolerance : kBfloat16Tolerance; }

/// Random leaf in `dtype`, and the same values as a float64 leaf.
struct Leaf {
  explicit Leaf(const std::vector<std::int64_t>& shape, at::ScalarType dtype = at::kFloat, double scale = 1.0)
      : value(at::randn(shape).mul(scale).to(dtype).set_requires_grad(true)),
        wide(value.detach().to(at::kDouble).set_requires_grad(true)) {}
  at::Tensor value, wide;
  void expect_same_gradient(double tolerance, const std::string& what) const {
    expect_close(value.grad(), wide.grad(), tolerance, what);
  }
};

/// Backward with the same random gradient through both.
void backward(const std::vector<at::Tensor>& actual, const std::vector<at::Tensor>& expected) {
  std::vector<at::Tensor> grads, wide;
  for (const at::Tensor& t : actual) {
    grads.push_back(at::randn(t.sizes()).to(t.scalar_type()));
    wide.push_back(grads.back().to(at::kDouble));
  }
  torch::autograd::backward(actual, grads);
  torch::autograd::backward(expected, wide);
}

class Kernels : public testing::Test {
 protected:
  void SetUp() override { at::manual_seed(7); }
};

class KernelsByType : public Kernels, public testing::WithParamInterface<at::ScalarType> {};
INSTANTIATE_TEST_SUITE_P(Types, KernelsByType, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

at::Tensor plain_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return x * at::rsqrt(x.pow(2).mean(-1, true) + eps) * weight;
}

TEST_P(KernelsByType, RmsNormIsTheFormula) {
  for (const std::int64_t rows : {1, 5, 33}) {
    Leaf x({rows, 37}, GetParam()), weight({37}, GetParam());
    const at::Tensor y = rms_norm(x.value, weight.value, 1e-3), expected = plain_norm(x.wide, weight.wide, 1e-3);
    EXPECT_EQ(y.scalar_type(), GetParam());
    backward({y}, {expected});
    expect_close(y, expected, tolerance(GetParam()), "y");
    x.expect_same_gradient(tolerance(GetParam()), "dx");
    weight.expect_same_gradient(tolerance(GetParam()), "dw");
  }
}

TEST_F(Kernels, RmsNormOfSmallRowsFeelsEpsilon) {
  Leaf x({3, 8}, at::kFloat, 1e-3), weight({8});
  const at::Tensor y = rms_norm(x.value, weight.value, 1e-5), expected = plain_norm(x.wide, weight.wide, 1e-5);
  backward({y}, {expected});
  expect_close(y, expected, kFloatTolerance, "y");
  x.expect_same_gradient(kFloatTolerance, "dx");
}

TEST_P(KernelsByType, AddRmsNormIsSumAndNorm) {
  Leaf x({9, 40}, GetParam()), branch({9, 40}, GetParam()), weight({40}, GetParam());
  const auto [sum, y] = add_rms_norm(x.value, branch.value, weight.value, 1e-5);
  const at::Tensor wide_sum = x.wide + branch.wide, expected = plain_norm(wide_sum, weight.wide, 1e-5);
  backward({sum, y}, {wide_sum, expected});
  expect_close(sum, wide_sum, tolerance(GetParam()), "sum");
  expect_close(y, expected, tolerance(GetParam()), "y");
  x.expect_same_gradient(tolerance(GetParam()), "dx");
  branch.expect_same_gradient(tolerance(GetParam()), "dbranch");
  weight.expect_same_gradient(tolerance(GetParam()), "dw");
}

TEST_F(Kernels, AddRmsNormWithOneUnusedOutput) {
  Leaf x({4, 8}), branch({4, 8}), weight({8});
  backward({add_rms_norm(x.value, branch.value, weight.value, 1e-5).second},
           {plain_norm(x.wide + branch.wide, weight.wide, 1e-5)});
  x.expect_same_gradient(kFloatTolerance, "norm alone");
  x.value.mutable_grad().zero_();
  torch::autograd::backward({add_rms_norm(x.value, branch.value, weight.value, 1e-5).first}, {at::full({4, 8}, 2.0)});
  expect_close(x.value.grad(), at::full({4, 8}, 2.0), kFloatTolerance, "sum alone");
}

/// Rotate-half as Hugging Face writes it.
at::Tensor plain_rotary(const at::Tensor& x, const at::Tensor& positions, double theta) {
  const std::int64_t dim = x.size(2);
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < dim / 2; ++i)
    frequencies.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim)));
  at::Tensor angles = at::outer(positions.to(at::kDouble), at::tensor(frequencies, at::kDouble));
  angles = at::cat({angles, angles}, -1).unsqueeze(1);
  const at::Tensor half = at::cat({-x.narrow(2, dim / 2, dim / 2), x.narrow(2, 0, dim / 2)}, -1);
  return x * angles.cos() + half * angles.sin();
}

TEST_P(KernelsByType, RotaryTurnsAndTurnsBack) {
  const at::Tensor positions = at::tensor({0, 1, 2, 7000, 3}, at::kLong);
  const at::Tensor x = at::randn({5, 3, 10}).to(GetParam());
  at::Tensor turned = x.clone();
  const RotaryTables tables = rotary_tables(positions, 10, 10000.0);
  rotate_(turned, tables, false);
  expect_close(turned, plain_rotary(x.to(at::kDouble), positions, 10000.0), tolerance(GetParam()), "rotated");
  rotate_(turned, tables, true);
  expect_close(turned, x, tolerance(GetParam()), "turned back");
}

TEST_F(Kernels, LinearScalingDividesEveryFrequency) {
  const at::Tensor positions = at::tensor({0, 4, 8, 7000}, at::kLong);
  const RotaryTables plain = rotary_tables(positions.div(4, "floor"), 10, 10000.0);
  const RotaryTables scaled = rotary_tables(positions, 10, 10000.0, {.type = RotaryScaling::Type::linear, .factor = 4});
  expect_close(scaled.cos, plain.cos, 1e-6, "cos");
  expect_close(scaled.sin, plain.sin, 1e-6, "sin");
}

/// The formula of transformers' llama3 rope type, frequency by frequency.
TEST_F(Kernels, Llama3ScalingStretchesLongWavelengthsAlone) {
  const RotaryScaling scaling{.type = RotaryScaling::Type::llama3,
                              .factor = 8.0,
                              .low_frequency_factor = 1.0,
                              .high_frequency_factor = 4.0,
                              .original_positions = 512.0};
  const std::int64_t dim = 64;
  const RotaryTables tables = rotary_tables(at::ones({1}, at::kLong), dim, 500.0, scaling);
  int kept = 0, between = 0, stretched = 0;
  for (std::int64_t i = 0; i < dim / 2; ++i) {
    double frequency = std::pow(500.0, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
    const double wavelength = 2.0 * std::acos(-1.0) / frequency;
    if (wavelength > 512.0 / 1.0) {
      frequency /= 8.0;
      ++stretched;
    } else if (wavelength >= 512.0 / 4.0) {
      const double smooth = (512.0 / wavelength - 1.0) / (4.0 - 1.0);
      frequency = (1.0 - smooth) * frequency / 8.0 + smooth * frequency;
      ++between;
    } else {
      ++kept;
    }
    EXPECT_NEAR(tables.sin[0][i].item<double>(), std::sin(frequency), 1e-6) << i;
    EXPECT_NEAR(tables.cos[0][i].item<double>(), std::cos(frequency), 1e-6) << i;
  }
  EXPECT_GT(kept, 3);
  EXPECT_GT(between, 3);
  EXPECT_GT(stretched, 3);
}

TEST_P(KernelsByType, SwigluIsTheFormula) {
  Leaf gate({7, 19}, GetParam(), 3.0), up({7, 19}, GetParam());
  expect_close(swiglu(gate.value.detach(), up.value.detach()), at::silu(gate.wide) * up.wide, tolerance(GetParam()),
               "product");
  const at::Tensor grad = at::randn({7, 19}).to(GetParam());
  torch::autograd::backward({at::silu(gate.wide) * up.wide}, {grad.to(at::kDouble)});
  const auto [d_gate, d_up] = swiglu_backward(grad.clone(), gate.value.detach(), up.value.detach());
  expect_close(d_gate, gate.wide.grad(), tolerance(GetParam()), "d gate");
  expect_close(d_up, up.wide.grad(), tolerance(GetParam()), "d up");
}

struct Adapted {
  Adapted(std::int64_t in, std::int64_t out, std::int64_t rank, at::ScalarType dtype, bool trained)
      : weight({out, in}, dtype, 0.3),
        bias({out}, dtype, 0.3),
        a({rank, in}, at::kFloat, 0.3),
        b({out, rank}, at::kFloat, 0.3) {
    weight.value.set_requires_grad(trained);
    bias.value.set_requires_grad(trained);
  }
  Projection projection() const { return {weight.value, bias.value, a.value, b.value, 0.7, {}}; }
  at::Tensor expected(const at::Tensor& x) const {
    return at::matmul(x, weight.wide.t()) + bias.wide + 0.7 * at::matmul(at::matmul(x, a.wide.t()), b.wide.t());
  }
  void expect_same_gradients(double tolerance) const {
    a.expect_same_gradient(tolerance, "dA");
    b.expect_same_gradient(tolerance, "dB");
    if (weight.value.requires_grad()) {
      weight.expect_same_gradient(tolerance, "dW");
      bias.expect_same_gradient(tolerance, "db");
    } else {
      EXPECT_FALSE(weight.value.grad().defined());
    }
  }
  Leaf weight, bias, a, b;
};

TEST_P(KernelsByType, ProjectionsOfOneInput) {
  for (const bool trained : {false, true}) {
    Leaf x({11, 24}, GetParam());
    const Adapted q(24, 16, 4, GetParam(), trained), k(24, 8, 3, GetParam(), trained), v(24, 8, 1, GetParam(), trained);
    const std::vector<at::Tensor> y = project(x.value, {q.projection(), k.projection(), v.projection()});
    ASSERT_EQ(y.size(), 3U);
    const std::vector<at::Tensor> expected = {q.expected(x.wide), k.expected(x.wide), v.expected(x.wide)};
    backward(y, expected);
    for (int i = 0; i < 3; ++i) expect_close(y[i], expected[i], tolerance(GetParam()), "y");
    x.expect_same_gradient(tolerance(GetParam()), "dx");
    for (const Adapted* p : {&q, &k, &v}) p->expect_same_gradients(tolerance(GetParam()));
  }
}

TEST_F(Kernels, ProjectionsWithAndWithoutAdaptersAndAnUnusedOutput) {
  Leaf x({6, 12});
  const Adapted first(12, 10, 2, at::kFloat, true), second(12, 5, 2, at::kFloat, true);
  Leaf plain({7, 12});
  const std::vector<at::Tensor> y =
      project(x.value, {first.projection(), {plain.value, {}, {}, {}, 0.0, {}}, second.projection()});
  backward({y[0], y[1]}, {first.expected(x.wide), at::matmul(x.wide, plain.wide.t())});
  x.expect_same_gradient(kFloatTolerance, "dx");
  plain.expect_same_gradient(kFloatTolerance, "dW of the plain one");
  first.expect_same_gradients(kFloatTolerance);
  EXPECT_FALSE(second.weight.value.grad().defined());
}

TEST_F(Kernels, ProjectionOfAFrozenInputTrainsTheAdapter) {
  const Adapted p(12, 10, 2, at::kFloat, false);
  const at::Tensor x = at::randn({6, 12});
  backward({project(x, {p.projection()})[0]}, {p.expected(x.to(at::kDouble))});
  p.expect_same_gradients(kFloatTolerance);
}

TEST_P(KernelsByType, SwigluProjection) {
  for (const bool trained : {false, true}) {
    Leaf gate({9, 20}, GetParam()), up({9, 20}, GetParam());
    const Adapted p(20, 6, 2, GetParam(), trained);
    const at::Tensor y = swiglu_project(gate.value, up.value, p.projection());
    const at::Tensor expected = p.expected(at::silu(gate.wide) * up.wide);
    backward({y}, {expected});
    expect_close(y, expected, tolerance(GetParam()), "y");
    gate.expect_same_gradient(tolerance(GetParam()), "d gate");
    up.expect_same_gradient(tolerance(GetParam()), "d up");
    p.expect_same_gradients(tolerance(GetParam()));
  }
}

TEST_F(Kernels, AdapterDropoutIsOneMaskInBothDirections) {
  Leaf x({50, 30}), weight({4, 30}), a({3, 30}), b({4, 3});
  const Projection p{
      at::zeros({4, 30}), {}, a.value, b.value, 1.0, {.probability = 0.25, .seed = 5, .begin = 10, .full = 60}};
  // The mask, recovered: with A and B identities, y = x * mask.
  const Projection probe{at::zeros({30, 30}), {}, at::eye(30), at::eye(30), 1.0, p.dropout};
  const at::Tensor mask = project(at::ones({50, 30}), {probe})[0].to(at::kDouble);
  EXPECT_NEAR(mask.mean().item<double>(), 1.0, 0.1);
  EXPECT_NEAR(mask.max().item<double>(), 1.0 / 0.75, 1e-6);
  EXPECT_NEAR(mask.eq(0).to(at::kDouble).mean().item<double>(), 0.25, 0.05);
  backward({project(x.value, {p})[0]}, {at::matmul(at::matmul(x.wide * mask, a.wide.t()), b.wide.t())});
  x.expect_same_gradient(kFloatTolerance, "dx");
  a.expect_same_gradient(kFloatTolerance, "dA");
  b.expect_same_gradient(kFloatTolerance, "dB");
}

TEST_F(Kernels, AdapterDropoutOfColumnsIsThatOfTheWhole) {
  const auto mask = [](std::int64_t begin, std::int64_t size) {
    return project(at::ones({8, size}),
                   {Projection{at::zeros({size, size}), {}, at::eye(size), at::eye(size), 1.0, {0.5, 3, begin, 12}}})[0];
  };
  EXPECT_TRUE(at::equal(mask(0, 12), at::cat({mask(0, 5), mask(5, 7)}, 1)));
  EXPECT_FALSE(at::equal(mask(0, 6), mask(6, 6)));
}

struct AttentionCase {
  std::int64_t heads, kv_heads, prefix;
  std::vector<std::int64_t> leaves;
  std::optional<std::int64_t> window;
};

PackedLayout layout_of(const AttentionCase& c) {
  PackedLayout layout{.prefix_tokens = c.prefix, .leaf_offsets = {c.prefix}, .sliding_window = c.window};
  for (const std::int64_t length : c.leaves) layout.leaf_offsets.push_back(layout.leaf_offsets.back() + length);
  return layout;
}

/// Positions of the rows, of which the first are prefix_rows of the prefix from prefix_begin on.
at::Tensor positions_of(const PackedLayout& layout, std::int64_t prefix_begin, std::int64_t prefix_rows) {
  std::vector<at::Tensor> parts = {at::arange(prefix_begin, prefix_begin + prefix_rows, at::kLong)};
  for (std::size_t b = 0; b + 1 < layout.leaf_offsets.size(); ++b) {
    parts.push_back(at::arange(layout.leaf_offsets[b + 1] - layout.leaf_offsets[b], at::kLong) + layout.prefix_tokens);
  }
  return at::cat(parts);
}

const std::vector<AttentionCase> kAttentionCases = {
    {9, 3, 37, {11, 3, 40}, {}},  // grouped heads
    {4, 4, 5, {1, 1, 7}, {}},     // leaves of one token
    {8, 1, 1, {13}, {}},          // a prefix of one token, one kv head
    {2, 1, 0, {17, 5}, {}},       // no prefix
    {2, 2, 0, {9}, {}},           // one segment
    {2, 1, 8, {}, {}},            // no leaves
    {3, 3, 600, {70, 1}, {}},     // more than one block of keys
    {2, 1, 6, {3, 0, 4}, {}},     // an empty leaf
    {4, 2, 10, {6, 12}, 22},      // a window that hides nothing
    {4, 2, 10, {6, 12}, 21},      // that hides one key from one row
    {4, 2, 10, {6, 12}, 5},       // after which leaves see nothing of the prefix
    {4, 2, 10, {6, 12}, 1},       // only itself
    {2, 2, 0, {30}, 7},           // without a prefix
};

TEST_P(KernelsByType, PackedAttentionIsDenseMaskedAttention) {
  constexpr std::int64_t kDim = 16;
  for (const AttentionCase& c : kAttentionCases) {
    SCOPED_TRACE(testing::Message() << c.heads << "/" << c.kv_heads << " heads, prefix " << c.prefix << ", "
                                    << c.leaves.size() << " leaves, window " << c.window.value_or(-1));
    const PackedLayout layout = layout_of(c);
    const std::int64_t total = layout.leaf_offsets.back();
    Leaf q({total, c.heads, kDim}, GetParam()), k({total, c.kv_heads, kDim}, GetParam()),
        v({total, c.kv_heads, kDim}, GetParam());
    const at::Tensor positions = positions_of(layout, 0, c.prefix);
    const RotaryTables tables = rotary_tables(positions, kDim, 100.0);
    const at::Tensor out = packed_attention(q.value.clone(), k.value.clone(), v.value, tables, tables, layout);
    const at::Tensor expected = packed_attention_reference(plain_rotary(q.wide, positions, 100.0),
                                                           plain_rotary(k.wide, positions, 100.0), v.wide, layout);
    backward({out}, {expected});
    expect_close(out, expected, tolerance(GetParam()), "out");
    q.expect_same_gradient(2 * tolerance(GetParam()), "dq");
    k.expect_same_gradient(2 * tolerance(GetParam()), "dk");
    v.expect_same_gradient(2 * tolerance(GetParam()), "dv");
  }
}

TEST_P(KernelsByType, PackedAttentionWithAPartOfThePrefixIsItsRowsOfTheWhole) {
  constexpr std::int64_t kDim = 16;
  for (const AttentionCase& c : kAttentionCases) {
    for (const std::int64_t begin : {std::int64_t{0}, c.prefix / 2}) {
      const std::int64_t rows = c.prefix / 2;
      if (rows == 0) continue;
      SCOPED_TRACE(testing::Message() << c.heads << "/" << c.kv_heads << " heads, prefix " << c.prefix << " from "
                                      << begin << ", " << c.leaves.size() << " leaves, window "
                                      << c.window.value_or(-1));
      PackedLayout layout = layout_of(c);
      const PackedLayout whole = layout;
      for (std::int64_t& offset : layout.leaf_offsets) offset -= c.prefix - rows;
      layout.prefix_begin = begin;
      layout.prefix_rows = rows;
      const std::int64_t total = whole.leaf_offsets.back(), suffix = total - c.prefix;
      Leaf q({rows + suffix, c.heads, kDim}, GetParam()), k({total, c.kv_heads, kDim}, GetParam()),
          v({total, c.kv_heads, kDim}, GetParam());
      const at::Tensor positions = positions_of(layout, begin, rows), key_positions = positions_of(whole, 0, c.prefix);
      const at::Tensor out =
          packed_attention(q.value.clone(), k.value.clone(), v.value, rotary_tables(positions, kDim, 100.0),
                           rotary_tables(key_positions, kDim, 100.0), layout);
      // The whole by the dense mask, queries elsewhere in the prefix being zero; these rows of it.
      const at::Tensor dense_q =
          at::cat({at::zeros({begin, c.heads, kDim}, at::kDouble), q.wide.narrow(0, 0, rows),
                   at::zeros({c.prefix - begin - rows, c.heads, kDim}, at::kDouble), q.wide.narrow(0, rows, suffix)});
      const at::Tensor dense = packed_attention_reference(plain_rotary(dense_q, key_positions, 100.0),
                                                          plain_rotary(k.wide, key_positions, 100.0), v.wide, whole);
      const at::Tensor expected = at::cat({dense.narrow(0, begin, rows), dense.narrow(0, c.prefix, suffix)});
      backward({out}, {expected});
      expect_close(out, expected, tolerance(GetParam()), "out");
      q.expect_same_gradient(2 * tolerance(GetParam()), "dq");
      k.expect_same_gradient(2 * tolerance(GetParam()), "dk");
      v.expect_same_gradient(2 * tolerance(GetParam()), "dv");
    }
  }
}

TEST_F(Kernels, PackedAttentionIsExactInFloat64) {
  const PackedLayout layout = layout_of(kAttentionCases[0]);
  Leaf q({91, 9, 16}, at::kDouble), k({91, 3, 16}, at::kDouble), v({91, 3, 16}, at::kDouble);
  const RotaryTables tables = rotary_tables(at::zeros({91}, at::kLong), 16, 100.0);  // no rotation
  const at::Tensor out = packed_attention(q.value.clone(), k.value.clone(), v.value, tables, tables, layout);
  const at::Tensor expected = packed_attention_reference(q.wide, k.wide, v.wide, layout);
  backward({out}, {expected});
  expect_close(out, expected, 1e-13, "out");
  q.expect_same_gradient(1e-13, "dq");
  k.expect_same_gradient(1e-13, "dk");
  v.expect_same_gradient(1e-13, "dv");
}

TEST_P(KernelsByType, CachedAttentionIsTheLastRowOfPackedAttention) {
  constexpr std::int64_t kDim = 16;
  for (const AttentionCase& c : kAttentionCases) {
    if (c.leaves.empty() || std::ranges::count(c.leaves, 0) > 0) continue;
    SCOPED_TRACE(testing::Message() << c.heads << "/" << c.kv_heads << " heads, prefix " << c.prefix << ", window "
                                    << c.window.value_or(-1));
    const PackedLayout layout = layout_of(c);
    const std::int64_t total = layout.leaf_offsets.back(), num_leaves = static_cast<std::int64_t>(c.leaves.size());
    const auto random = [&](std::int64_t heads) { return at::randn({total, heads, kDim}).to(GetParam()); };
    const at::Tensor q = random(c.heads), k = random(c.kv_heads), v = random(c.kv_heads);
    const at::Tensor expected =
        packed_attention_reference(q.to(at::kDouble), k.to(at::kDouble), v.to(at::kDouble), layout);

    CachedKeys cache;
    const std::int64_t capacity = std::ranges::max(c.leaves) + 3;
    if (c.prefix > 0) cache.prefix_keys = k.narrow(0, 0, c.prefix).transpose(0, 1).unsqueeze(0).contiguous();
    if (c.prefix > 0) cache.prefix_values = v.narrow(0, 0, c.prefix).transpose(0, 1).unsqueeze(0).contiguous();
    // What lies behind a leaf's tokens must not matter.
    cache.keys = at::full({num_leaves, c.kv_heads, capacity, kDim}, 50.0, k.options());
    cache.values = at::full({num_leaves, c.kv_heads, capacity, kDim}, 1e4, k.options());
    cache.lengths = at::tensor(c.leaves, at::kLong);
    EXPECT_FALSE(flash_offsets(cache).used.defined()) << "on a CPU";
    std::vector<at::Tensor> queries, last_rows;
    for (std::int64_t b = 0; b < num_leaves; ++b) {
      cache.keys[b].narrow(1, 0, c.leaves[b]).copy_(k.narrow(0, layout.leaf_offsets[b], c.leaves[b]).transpose(0, 1));
      cache.values[b].narrow(1, 0, c.leaves[b]).copy_(v.narrow(0, layout.leaf_offsets[b], c.leaves[b]).transpose(0, 1));
      queries.push_back(q[layout.leaf_offsets[b + 1] - 1]);
      last_rows.push_back(expected[layout.leaf_offsets[b + 1] - 1]);
    }
    expect_close(cached_attention(at::stack(queries), cache, c.window), at::stack(last_rows), tolerance(GetParam()),
                 "out");

    // Several queries a leaf: its last ones, as many as it has, up to three.
    std::vector<std::int64_t> rows, leaf, place, slot, counts;
    for (std::int64_t b = 0; b < num_leaves; ++b) {
      counts.push_back(std::min<std::int64_t>(c.leaves[b], 1 + b % 3));
      for (std::int64_t i = 0; i < counts.back(); ++i) {
        rows.push_back(layout.leaf_offsets[b + 1] - counts.back() + i);
        leaf.push_back(b);
        place.push_back(i);
        slot.push_back(c.leaves[b] - counts.back() + i);
      }
    }
    cache.rows = CachedRows{at::tensor(leaf, at::kLong), at::tensor(place, at::kLong), at::tensor(slot, at::kLong),
                            at::tensor(counts, at::kLong), std::ranges::max(counts)};
    const at::Tensor index = at::tensor(rows, at::kLong);
    expect_close(cached_attention(q.index_select(0, index), cache, c.window), expected.index_select(0, index),
                 tolerance(GetParam()), "several rows");
  }
}

}  // namespace
}  // namespace entune
