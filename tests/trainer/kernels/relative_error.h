#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace entune::test {

/// |a - b| / |b|, in float64; |a| if b is zero.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = b.detach().to(at::kDouble);
  const double norm = wide.norm().item<double>();
  const double difference = (a.detach().to(at::kDouble) - wide).norm().item<double>();
  return norm > 0.0 ? difference / norm : difference;
}

inline void expect_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance,
                         const std::string& what) {
  ASSERT_TRUE(actual.defined()) << what << " is undefined";
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  EXPECT_LE(relative_error(actual, expected), tolerance) << what;
}

}  // namespace entune::test
