#include "trainer/model/decode_graph.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <utility>

namespace entune {
namespace {

using c10::cuda::CUDAStream;

/// Makes `later` wait for what `earlier` holds now.
void order(const CUDAStream& earlier, const CUDAStream& later) {
  c10::cuda::CUDAEvent event;
  event.record(earlier);
  event.block(later);
}

/// Memory pools of recordings are named by two numbers; libtorch's own have 0 for one of them.
c10::MempoolId_t pool_id(std::uint64_t pool) { return {1, pool + 1}; }

}  // namespace

// As at::cuda::CUDAGraph does it, without the states of random generators, which decoding does not ask, and without a
// symbol of libtorch_cuda, which programs load for its operators alone (scripts/cmake/Cuda.cmake).
struct DecodeGraph::Recording {
  Recording(at::Device on, std::uint64_t in_pool) : device(on.index()), pool(pool_id(in_pool)) {}
  ~Recording() {
    if (executable != nullptr) C10_CUDA_CHECK_WARN(cudaGraphExecDestroy(executable));
    output = at::Tensor();
    if (has_pool) c10::cuda::CUDACachingAllocator::releasePool(device, pool);
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// Records `work`, which then belongs to `stream`. Whatever is thrown, the stream does not stay in recording.
  cudaGraph_t record(const CUDAStream& stream, const std::function<at::Tensor()>& work) {
    c10::cuda::CUDACachingAllocator::beginAllocateToPool(device, pool,
                                                         [stream](cudaStream_t s) { return s == stream.stream(); });
    has_pool = true;
    cudaGraph_t graph = nullptr;
    const auto end = [&] {
      const cudaError_t ended = cudaStreamEndCapture(stream.stream(), &graph);
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool);
      return ended;
    };
    try {
      // Of this thread alone: what others do on the GPU is none of the recording's business.
      C10_CUDA_CHECK(cudaStreamBeginCapture(stream.stream(), cudaStreamCaptureModeThreadLocal));
      output = work();
    } catch (...) {
      end();
      C10_CUDA_CLEAR_ERROR();
      throw;
    }
    C10_CUDA_CHECK(end());
    return graph;
  }

  c10::DeviceIndex device;
  c10::MempoolId_t pool;
  bool has_pool = false;
  cudaGraphExec_t executable = nullptr;
  at::Tensor output;
};

DecodeGraph::DecodeGraph(at::Device device, std::uint64_t pool, const std::function<at::Tensor()>& work)
    : recording_(std::make_unique<Recording>(device, pool)) {
  const c10::cuda::CUDAGuard guard(device);
  const CUDAStream current = c10::cuda::getCurrentCUDAStream(device.index());
  const CUDAStream stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index());
  order(current, stream);
  {
    const c10::cuda::CUDAStreamGuard on_stream(stream);
    work();
    stream.synchronize();
    cudaGraph_t graph = recording_->record(stream, work);
    const cudaError_t instantiated = cudaGraphInstantiate(&recording_->executable, graph, 0);
    C10_CUDA_CHECK(cudaGraphDestroy(graph));
    C10_CUDA_CHECK(instantiated);
  }
  order(stream, current);
}

DecodeGraph::~DecodeGraph() = default;

const at::Tensor& DecodeGraph::replay() {
  const auto stream = c10::cuda::getCurrentCUDAStream(recording_->device);
  C10_CUDA_CHECK(cudaGraphLaunch(recording_->executable, stream.stream()));
  return recording_->output;
}

}  // namespace entune
