#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace entune {

/// Work on a GPU that is recorded once and then queued as a whole: where many short kernels follow each other, launching
/// them one by one takes longer than running them.
class DecodeGraph {
 public:
  /// Runs `work` once, so that libraries have what they keep, and records it at a second call. All that it reads and
  /// writes from outside must stay where it is; it may not wait for the GPU. Graphs of one `pool` share the memory of
  /// their intermediates: they are replayed one after the other, on one stream. TORCH_CHECK in a build without CUDA.
  DecodeGraph(at::Device device, std::uint64_t pool, const std::function<at::Tensor()>& work);
  ~DecodeGraph();
  DecodeGraph(const DecodeGraph&) = delete;
  DecodeGraph& operator=(const DecodeGraph&) = delete;

  /// What `work` gave, computed anew in the same memory. Queued on the current stream.
  const at::Tensor& replay();

 private:
  struct Recording;
  std::unique_ptr<Recording> recording_;
};

}  // namespace entune
