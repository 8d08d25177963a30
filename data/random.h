#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace entune {

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): equal numbers on every machine and compiler, which the
/// distributions and std::shuffle of the standard library do not promise.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, size), without bias; size > 0.
  std::int64_t below(std::int64_t size) {
    const auto bound = static_cast<std::uint64_t>(size);
    const std::uint64_t tail = (0 - bound) % bound;  // 2^64 mod bound
    std::uint64_t value = next();
    while (value < tail) value = next();
    return static_cast<std::int64_t>(value % bound);
  }

  /// Uniform in [first, last].
  std::int64_t between(std::int64_t first, std::int64_t last) { return first + below(last - first + 1); }

  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  bool chance(double probability) { return uniform() < probability; }

  template <typename T>
  const T& choice(const std::vector<T>& items) {
    return items[static_cast<std::size_t>(below(static_cast<std::int64_t>(items.size())))];
  }

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<std::int64_t>(i)))]);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace entune
