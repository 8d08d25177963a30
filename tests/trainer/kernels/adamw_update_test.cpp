// One update after another against AdamW's formulas written out in float64.

#include "trainer/kernels/adamw_update.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/trainer/kernels/relative_error.h"

namespace entune {
namespace {

using test::expect_close;

constexpr std::int64_t kSize = 133;

struct Expected {
  at::Tensor master, first, second;

  void update(const at::Tensor& raw, const AdamWStep& s) {
    const at::Tensor gradient = raw.to(at::kDouble) * s.gradient_scale;
    master = master * (1.0 - s.lr * s.weight_decay);
    first = s.beta1 * first + (1.0 - s.beta1) * gradient;
    second = s.beta2 * second + (1.0 - s.beta2) * gradient * gradient;
    const auto n = static_cast<double>(s.number);
    const at::Tensor mean = first / (1.0 - std::pow(s.beta1, n)), square = second / (1.0 - std::pow(s.beta2, n));
    master = master - s.lr * mean / (square.sqrt() + s.eps);
  }
};

class AdamWUpdateByType : public testing::TestWithParam<at::ScalarType> {};
INSTANTIATE_TEST_SUITE_P(Gradients, AdamWUpdateByType, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST_P(AdamWUpdateByType, IsTheFormulaOverSteps) {
  at::manual_seed(9);
  for (const double weight_decay : {0.0, 0.3}) {
    for (const double scale : {1.0, 0.125, 3.0}) {
      for (const bool with_value : {false, true}) {
        SCOPED_TRACE(testing::Message() << "decay " << weight_decay << ", scale " << scale << ", value " << with_value);
        const at::Tensor start = at::randn({kSize});
        const AdamWTensors t{start.clone(), at::zeros({kSize}), at::zeros({kSize}), {},
                             with_value ? at::zeros({kSize}, at::kBFloat16) : at::Tensor()};
        const at::Tensor zero = at::zeros({kSize}, at::kDouble);
        Expected expected{start.to(at::kDouble), zero, zero};
        for (std::int64_t number = 1; number <= 5; ++number) {
          const AdamWStep step{.lr = 0.02 / static_cast<double>(number),
                               .beta1 = 0.9,
                               .beta2 = 0.98,
                               .eps = 1e-3,  // large enough to be felt
                               .weight_decay = weight_decay,
                               .number = number,
                               .gradient_scale = scale};
          AdamWTensors with_gradient = t;
          with_gradient.gradient = at::randn({kSize}).to(GetParam());
          expected.update(with_gradient.gradient, step);
          adamw_update(with_gradient, step);
        }
        // What changed, not what it started from.
        expect_close(t.master - start, expected.master - start.to(at::kDouble), 1e-5, "master");
        expect_close(t.first_moment, expected.first, 1e-6, "first moment");
        expect_close(t.second_moment, expected.second, 1e-6, "second moment");
        if (with_value) {
          EXPECT_TRUE(at::equal(t.value, t.master.to(at::kBFloat16)));
        }
      }
    }
  }
}

}  // namespace
}  // namespace entune
