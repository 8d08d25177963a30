#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>

namespace entune {

/// A product [rows, in] x [in, out].
struct ProductShape {
  std::int64_t rows = 0, in = 0, out = 0;
  double flops() const { return 2.0 * static_cast<double>(rows * in) * static_cast<double>(out); }
  auto operator<=>(const ProductShape&) const = default;
};

/// What operators do, as far as time depends on it.
struct OperatorCosts {
  std::map<ProductShape, std::int64_t> products;  ///< and how often
  double attention_flops = 0.0;                   ///< forward, and its repetitions
  double attention_backward_flops = 0.0;
  /// Read and written by the other operators, by size class (size_class of what one of them reads and writes): by those
  /// that make a new tensor, and by those that change one.
  std::map<int, double> new_bytes, in_place_bytes;
  std::int64_t num_operators = 0;

  double product_flops() const;
  OperatorCosts& operator+=(const OperatorCosts& other);
};

/// Operators of one class, those that move up to 2^class bytes, are taken to move them equally fast.
int size_class(double bytes);

/// Counts the operators that this thread calls while it lives, on whatever device: those that work themselves, not
/// those that call others, and no views. One at a time in a thread.
class OperatorCostCount {
 public:
  OperatorCostCount();
  ~OperatorCostCount();
  OperatorCostCount(const OperatorCostCount&) = delete;
  OperatorCostCount& operator=(const OperatorCostCount&) = delete;
  /// Since the last call, or since the beginning.
  OperatorCosts take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entune
