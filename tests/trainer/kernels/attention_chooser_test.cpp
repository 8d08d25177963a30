// The choice between two ways to compute attention, and rows of zeros for an operator that wants few shapes, with two
// that CPUs have: PyTorch's flash operator and the plain form.

#include "trainer/kernels/attention_chooser.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/trainer/kernels/relative_error.h"
#include "trainer/kernels/dense_attention.h"
#include "trainer/kernels/padded_attention.h"

namespace entune {
namespace {

using test::expect_close;
using testing::HasSubstr;
using testing::SizeIs;
using Tensors = std::vector<at::Tensor>;

struct Inputs {
  explicit Inputs(std::int64_t rows, std::int64_t keys, std::int64_t dim = 16)
      : q(at::randn({2, 6, rows, dim})),
        k(at::randn({2, 3, keys, dim})),
        v(at::randn({2, 3, keys, dim})),
        grad(at::randn({2, 6, rows, dim})) {}
  at::Tensor q, k, v, grad;
};

/// Two ways that count their calls, and a clock that says what it is told.
class Choosing : public testing::Test {
 protected:
  void SetUp() override { at::manual_seed(2); }
  Tensors run(const Inputs& x, bool is_causal = false) {
    return chooser_.run(
        attention_shape(x.q, x.k, is_causal, false),
        [&] {
          ++calls_of_flash_;
          const auto [out, lse] = dense_attention(x.q, x.k, x.v, is_causal);
          return Tensors{out, lse};
        },
        [&] {
          ++calls_of_plain_;
          TORCH_CHECK(!plain_fails_, "no plan for this shape");
          const auto [out, lse] = plain_attention(x.q, x.k, x.v, is_causal);
          return Tensors{out + error_, lse};
        });
  }
  void expect_calls(int flash, int plain) {
    EXPECT_EQ(calls_of_flash_, flash);
    EXPECT_EQ(calls_of_plain_, plain);
    calls_of_flash_ = calls_of_plain_ = 0;
  }

  std::vector<double> seconds_;  ///< of the next timings, the last first
  std::vector<std::string> log_;
  bool plain_fails_ = false;
  double error_ = 0.0;
  int calls_of_flash_ = 0, calls_of_plain_ = 0;
  AttentionChooser chooser_{1e-4,
                            [this](const AttentionChooser::Call& call) {
                              call();
                              const double seconds = seconds_.back();
                              seconds_.pop_back();
                              return seconds;
                            },
                            [this](const std::string& line) { log_.push_back(line); }};
};

TEST_F(Choosing, TheFasterOfAShapeIsRemembered) {
  seconds_ = {2.0, 1.0};  // the second way is timed first, and is the faster one
  const Inputs x(13, 29);
  expect_close(run(x)[0], plain_attention(x.q, x.k, x.v, false).out, 1e-5, "out");
  expect_calls(2, 2);  // each for its result and for the clock
  for (int i = 0; i < 3; ++i) run(x);
  expect_calls(0, 3);

  seconds_ = {1.0, 2.0};
  const Inputs other(13, 33);  // 29 and 32 keys are of one class, 33 of the next
  run(Inputs(16, 32));
  expect_calls(0, 1);
  run(other);
  expect_calls(2, 2);
  run(other);
  run(Inputs(9, 64));
  expect_calls(2, 0);
  EXPECT_THAT(log_, SizeIs(0));
}

TEST_F(Choosing, EverythingElseOfAShapeIsAClassOfItsOwn) {
  const Inputs x(16, 16);
  const AttentionShape shape = attention_shape(x.q, x.k, false, false);
  EXPECT_NE(shape, attention_shape(x.q, x.k, true, false));
  EXPECT_NE(shape, attention_shape(x.q, x.k, false, true));
  EXPECT_NE(shape, attention_shape(x.q.narrow(0, 0, 1), x.k, false, false));
  EXPECT_NE(shape, attention_shape(x.q.narrow(1, 0, 3), x.k, false, false));
  EXPECT_NE(shape, attention_shape(x.q, x.k.narrow(1, 0, 1), false, false));
  const Inputs wider(16, 16, 24);
  EXPECT_NE(shape, attention_shape(wider.q, wider.k, false, false));
  EXPECT_EQ(shape, attention_shape(Inputs(9, 9).q, Inputs(9, 9).k, false, false));
}

TEST_F(Choosing, TheFirstStaysWhereTheSecondIsWrong) {
  for (const double error : {1.0, std::numeric_limits<double>::quiet_NaN()}) {
    error_ = error;
    const Inputs x(error == 1.0 ? 4 : 40, 20);
    expect_close(run(x)[0], dense_attention(x.q, x.k, x.v, false).out, 0.0, "the first way's result");
    expect_calls(1, 1);  // nothing is timed
    error_ = 0.0;
    run(x);
    expect_calls(1, 0);
  }
  ASSERT_THAT(log_, SizeIs(2));
  EXPECT_THAT(log_[0], HasSubstr("result 0 of the second is"));
}

TEST_F(Choosing, TheFirstStaysWhereTheSecondFails) {
  plain_fails_ = true;
  const Inputs x(8, 8);
  run(x);
  expect_calls(1, 1);
  plain_fails_ = false;
  run(x);
  expect_calls(1, 0);
  ASSERT_THAT(log_, SizeIs(1));
  EXPECT_THAT(log_[0], HasSubstr("no plan for this shape"));
}

TEST(PaddedAttention, RowsAreFewNumbers) {
  std::set<std::int64_t> numbers;
  for (std::int64_t n = 8192 + 1; n <= 16384; ++n) {
    const std::int64_t rows = padded_rows(n);
    EXPECT_GE(rows, n);
    EXPECT_LE(8 * (rows - n), n);
    numbers.insert(rows);
  }
  EXPECT_THAT(numbers, SizeIs(8));
  EXPECT_EQ(padded_rows(1), 8);
  EXPECT_EQ(padded_rows(4096), 4096);
}

TEST(PaddedAttention, IsAttention) {
  at::manual_seed(3);
  for (const bool is_causal : {false, true}) {
    const Inputs x(35, is_causal ? 35 : 21);
    const auto attend = [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal) {
      EXPECT_EQ(q.size(2), 40);
      EXPECT_EQ(k.size(2), is_causal ? 40 : 21);
      return dense_attention(q, k, v, causal);
    };
    const auto backward = [](const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const DenseAttention& result, bool causal) {
      return dense_attention_backward(grad, q, k, v, result, causal);
    };
    const DenseAttention expected = dense_attention(x.q, x.k, x.v, is_causal),
                         found = padded_attention(attend, x.q, x.k, x.v, is_causal);
    expect_close(found.out, expected.out, 1e-6, "out");
    expect_close(found.lse, expected.lse, 1e-6, "log-sum-exp");
    const AttentionGradients gradients = dense_attention_backward(x.grad, x.q, x.k, x.v, expected, is_causal),
                             of_padded =
                                 padded_attention_backward(backward, x.grad, x.q, x.k, x.v, expected, is_causal);
    expect_close(of_padded.q, gradients.q, 1e-6, "dq");
    expect_close(of_padded.k, gradients.k, 1e-6, "dk");
    expect_close(of_padded.v, gradients.v, 1e-6, "dv");
  }
}

}  // namespace
}  // namespace entune
