#pragma once

#include <ATen/core/Tensor.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace entune {

/// Calls of attention that are taken to be equally fast one way or the other.
struct AttentionShape {
  std::int64_t batch, heads, kv_heads, head_dim;
  std::int64_t rows, keys;  ///< rounded up to a power of two
  bool is_causal, is_backward;
  auto operator<=>(const AttentionShape&) const = default;
};
/// q [B, H, n, D], k [B, K, m, D].
AttentionShape attention_shape(const at::Tensor& q, const at::Tensor& k, bool is_causal, bool is_backward);

/// Chooses between two ways to compute the same tensors: at a shape's first call both run on its inputs, are held
/// against each other and timed; what was faster is remembered. The second way is not taken where it throws (c10::Error)
/// or gives something else: the log is told in one line. Safe for several threads.
class AttentionChooser {
 public:
  using Call = std::function<std::vector<at::Tensor>()>;
  using Timer = std::function<double(const Call&)>;  ///< seconds that a call takes; never its first one
  using Log = std::function<void(const std::string&)>;

  /// `tolerance`: of each tensor, the norm of the difference over that of the first way's result.
  AttentionChooser(double tolerance, Timer timer, Log log);

  std::vector<at::Tensor> run(const AttentionShape& shape, const Call& first, const Call& second);

 private:
  /// Whether the second way is right and faster; `expected` is what the first gave.
  bool second_is_better(const AttentionShape& shape, const std::vector<at::Tensor>& expected, const Call& first,
                        const Call& second) const;

  double tolerance_;
  Timer timer_;
  Log log_;
  std::mutex mutex_;
  std::map<AttentionShape, bool> takes_second_;
};

}  // namespace entune
