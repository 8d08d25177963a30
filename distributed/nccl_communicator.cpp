#include "distributed/nccl_communicator.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/StringUtil.h>
#include <nccl.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "distributed/preconditions.h"

namespace entune {
namespace {

using Clock = std::chrono::steady_clock;

ncclDataType_t nccl_type(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return ncclFloat32;
    case at::kDouble:
      return ncclFloat64;
    case at::kLong:
      return ncclInt64;
    case at::kBFloat16:
      return ncclBfloat16;
    default:
      return ncclUint8;
  }
}

std::string text_of(ncclResult_t code, const char* call) {
  return c10::str(call, " failed with code ", static_cast<int>(code), ": ", ncclGetErrorString(code), " (",
                  ncclGetLastError(nullptr), ")");
}

/// One NCCL communicator, its stream, and a thread that watches over it. All its NCCL calls are made under one lock:
/// an abort must not meet another call.
class Connection {
 public:
  Connection(const ncclUniqueId& id, int rank, int size, at::Device device, const NcclOptions& options)
      : device_(device),
        patience_(options.patience),
        overdue_(options.overdue),
        overdue_after_(options.overdue_after),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index())) {
    const c10::cuda::CUDAGuard guard(device_);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // a peer that never comes must not hold this rank for ever
    const std::lock_guard lock(mutex_);
    settle(ncclCommInitRankConfig(&comm_, size, id, rank, &config), "ncclCommInitRankConfig");
    watcher_ = std::thread([this] { watch(); });
  }

  ~Connection() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    if (watcher_.joinable()) watcher_.join();
    try {
      close();
    } catch (const std::exception&) {
      // The group is gone either way, and whoever needs to know of an error has seen it in a call.
    }
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Throws what has gone wrong since the last call.
  void require_usable() {
    const std::lock_guard lock(mutex_);
    require_usable_locked();
  }

  /// Queues `enqueue` on the group's stream, behind what is on the current stream and before what comes there next.
  void run(const char* call, const std::function<ncclResult_t(ncclComm_t, cudaStream_t)>& enqueue) {
    const std::lock_guard lock(mutex_);
    require_usable_locked();
    const c10::cuda::CUDAGuard guard(device_);
    const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream(device_.index());
    c10::cuda::CUDAEvent ready, done;
    ready.record(current);
    ready.block(stream_);
    settle(enqueue(comm_, stream_.stream()), call);
    done.record(stream_);
    done.block(current);
    forget_finished();
    queued_.push_back({std::move(done), call, Clock::now()});
  }

 private:
  /// A collective that the GPU may still be at.
  struct Queued {
    c10::cuda::CUDAEvent done;
    const char* call;
    Clock::time_point since;
  };

  void require_usable_locked() const {
    if (!failure_.empty()) throw std::runtime_error(failure_);
  }

  void forget_finished() {
    while (!queued_.empty() && queued_.front().done.query()) queued_.pop_front();
  }

  /// Ends the group: kernels that wait for peers return, with nothing of use in their tensors.
  void abort(std::string reason) {
    failure_ = std::move(reason);
    if (comm_ != nullptr) ncclCommAbort(comm_);
    comm_ = nullptr;
  }

  [[noreturn]] void fail(const std::string& reason) {
    abort(reason);
    throw std::runtime_error(failure_);
  }

  /// A call of a communicator that does not block is over when its state says so.
  void settle(ncclResult_t code, const char* call) {
    const Clock::time_point begin = Clock::now();
    for (int polls = 0; code == ncclInProgress; ++polls) {
      const ncclResult_t answer = ncclCommGetAsyncError(comm_, &code);
      if (answer != ncclSuccess) fail(text_of(answer, "ncclCommGetAsyncError"));
      if (code != ncclInProgress) break;
      if (Clock::now() - begin > patience_) fail(text_of_overdue(call));
      // Most calls take microseconds; those that connect to peers take seconds.
      if (polls < 1000) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds{200});
      }
    }
    if (code != ncclSuccess) fail(text_of(code, call));
  }

  std::string text_of_overdue(const char* call) const {
    return c10::str(call, " is not over after ", std::chrono::duration_cast<std::chrono::seconds>(patience_).count(),
                    " s; another rank may have failed or be elsewhere");
  }

  void watch() {
    const auto interval = std::min<std::chrono::milliseconds>(patience_ / 4, std::chrono::milliseconds{500});
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, interval, [this] { return ending_; }) && failure_.empty()) {
      try {
        ncclResult_t state = ncclSuccess;
        const ncclResult_t answer = ncclCommGetAsyncError(comm_, &state);
        if (answer != ncclSuccess || (state != ncclSuccess && state != ncclInProgress)) {
          abort(text_of(answer != ncclSuccess ? answer : state, "NCCL"));
          return;
        }
        forget_finished();
        if (queued_.empty()) continue;
        const auto waited = Clock::now() - queued_.front().since;
        if (waited > patience_) {
          abort(text_of_overdue(queued_.front().call));
          return;
        }
        if (overdue_ && waited > overdue_after_) overdue_();
      } catch (const std::exception& error) {
        abort(error.what());  // the GPU itself has failed
        return;
      }
    }
  }

  void close() {
    const std::lock_guard lock(mutex_);
    if (comm_ == nullptr) return;
    if (std::uncaught_exceptions() > 0) {
      abort("unwinding");
      return;
    }
    stream_.synchronize();
    settle(ncclCommFinalize(comm_), "ncclCommFinalize");
    ncclCommDestroy(comm_);
    comm_ = nullptr;
  }

  const at::Device device_;
  const std::chrono::milliseconds patience_;
  const std::function<void()> overdue_;
  const std::chrono::milliseconds overdue_after_;
  const c10::cuda::CUDAStream stream_;
  std::mutex mutex_;  ///< of everything below, and of all NCCL calls
  std::condition_variable wake_;
  ncclComm_t comm_ = nullptr;
  std::string failure_;  ///< why the group cannot be used any more; empty: it can
  std::deque<Queued> queued_;
  bool ending_ = false;
  std::thread watcher_;
};

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(std::unique_ptr<Communicator> host, const ncclUniqueId& id, at::Device device,
                   const NcclOptions& options)
      : host_(std::move(host)),
        device_(device),
        options_(options),
        connection_(id, host_->rank(), host_->size(), device, options) {}

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }

  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    check_transportable(tensor, "all_reduce");
    if (is_on_host(tensor, "all_reduce")) return host_->all_reduce(tensor, op);
    if (tensor.numel() == 0) return;
    if (tensor.scalar_type() == at::kBFloat16 && op == ReduceOp::sum) return sum_bfloat16(tensor);
    void* const data = tensor.mutable_data_ptr();
    connection_.run("ncclAllReduce", [&](ncclComm_t comm, cudaStream_t stream) {
      return ncclAllReduce(data, data, count_of(tensor), nccl_type(tensor), op == ReduceOp::sum ? ncclSum : ncclMax,
                           comm, stream);
    });
  }

  void all_gather(at::Tensor& output, const at::Tensor& input) override {
    check_parts(output, input, size(), "all_gather");
    if (is_on_host(input, "all_gather")) return host_->all_gather(output, input);
    if (input.numel() > 0) gather(output, input);
  }

  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    check_parts(input, output, size(), "reduce_scatter");
    if (is_on_host(input, "reduce_scatter")) return host_->reduce_scatter(output, input);
    if (output.numel() == 0) return;
    if (input.scalar_type() == at::kBFloat16) {
      const at::NoGradGuard no_grad;
      output.view({-1}).copy_(sum_of_parts(input));
      return;
    }
    connection_.run("ncclReduceScatter", [&](ncclComm_t comm, cudaStream_t stream) {
      return ncclReduceScatter(input.const_data_ptr(), output.mutable_data_ptr(), count_of(output), nccl_type(input),
                               ncclSum, comm, stream);
    });
  }

  void broadcast(at::Tensor& tensor, int root) override {
    check_transportable(tensor, "broadcast");
    check_root(root, size(), "broadcast");
    if (is_on_host(tensor, "broadcast")) return host_->broadcast(tensor, root);
    if (tensor.numel() == 0) return;
    void* const data = tensor.mutable_data_ptr();
    connection_.run("ncclBroadcast", [&](ncclComm_t comm, cudaStream_t stream) {
      return ncclBroadcast(data, data, count_of(tensor), nccl_type(tensor), root, comm, stream);
    });
  }

  void barrier() override {
    connection_.require_usable();
    c10::cuda::getCurrentCUDAStream(device_.index()).synchronize();
    host_->barrier();
  }

  std::unique_ptr<Communicator> split(int color, int key) override {
    connection_.require_usable();
    return make_nccl_communicator(host_->split(color, key), device_, options_);
  }

 private:
  static std::size_t count_of(const at::Tensor& tensor) { return static_cast<std::size_t>(tensor.numel()); }

  bool is_on_host(const at::Tensor& tensor, const char* call) {
    connection_.require_usable();
    TORCH_CHECK(tensor.is_cpu() || tensor.device() == device_, call, ": expected a tensor on ", device_,
                " or on the CPU, found one on ", tensor.device());
    return tensor.is_cpu();
  }

  void gather(const at::Tensor& output, const at::Tensor& input) {
    connection_.run("ncclAllGather", [&](ncclComm_t comm, cudaStream_t stream) {
      return ncclAllGather(input.const_data_ptr(), output.mutable_data_ptr(), count_of(input), nccl_type(input), comm,
                           stream);
    });
  }

  /// `whole` as one part for each rank: the float32 sum, in rank order, of this rank's part over all ranks.
  at::Tensor sum_of_parts(const at::Tensor& whole) {
    const at::Tensor parts = whole.view({size(), -1});
    const at::Tensor received = at::empty_like(parts);
    const std::size_t count = count_of(parts) / static_cast<std::size_t>(size());
    const auto part_bytes = static_cast<std::size_t>(parts.element_size()) * count;
    const char* const from = static_cast<const char*>(parts.const_data_ptr());
    char* const to = static_cast<char*>(received.mutable_data_ptr());
    connection_.run("exchange of parts (ncclSend, ncclRecv)", [&](ncclComm_t comm, cudaStream_t stream) {
      ncclResult_t code = ncclGroupStart();
      for (int peer = 0; peer < size(); ++peer) {
        const std::size_t offset = static_cast<std::size_t>(peer) * part_bytes;
        if (code == ncclSuccess) code = ncclSend(from + offset, count, nccl_type(parts), peer, comm, stream);
        if (code == ncclSuccess) code = ncclRecv(to + offset, count, nccl_type(parts), peer, comm, stream);
      }
      const ncclResult_t end = ncclGroupEnd();
      return code == ncclSuccess || code == ncclInProgress ? end : code;
    });
    return received.sum(at::IntArrayRef{0}, /*keepdim=*/false, at::kFloat);
  }

  void sum_bfloat16(at::Tensor& tensor) {
    const at::NoGradGuard no_grad;
    at::Tensor whole = tensor.view({-1});
    const std::int64_t padding = (size() - whole.numel() % size()) % size();
    if (padding > 0) whole = at::cat({whole, at::zeros({padding}, whole.options())});
    gather(whole, sum_of_parts(whole).to(at::kBFloat16));
    if (padding > 0) tensor.view({-1}).copy_(whole.narrow(0, 0, tensor.numel()));
  }

  const std::unique_ptr<Communicator> host_;
  const at::Device device_;
  const NcclOptions options_;
  Connection connection_;
};

// Read by NCCL when it first starts in the process.
void prepare_environment(const NcclOptions& options) {
  if (!options.deterministic) return;
  setenv("NCCL_ALGO", "Ring", 0);
  setenv("NCCL_PROTO", "Simple", 0);
  setenv("NCCL_NVLS_ENABLE", "0", 0);
}

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> host, at::Device device,
                                                     const NcclOptions& options) {
  TORCH_CHECK(device.is_cuda() && device.has_index(), "expected a GPU with its index, found ", device);
  if (host->size() == 1) return make_self_communicator();
  prepare_environment(options);
  ncclUniqueId id{};
  std::string bytes;
  if (host->rank() == 0) {
    const ncclResult_t code = ncclGetUniqueId(&id);
    if (code != ncclSuccess) throw std::runtime_error(text_of(code, "ncclGetUniqueId"));
    bytes.assign(reinterpret_cast<const char*>(&id), sizeof id);
  }
  bytes = broadcast_bytes(*host, bytes, 0);
  TORCH_CHECK(bytes.size() == sizeof id, "expected an NCCL identifier of ", sizeof id, " bytes, found ", bytes.size());
  std::memcpy(&id, bytes.data(), sizeof id);
  return std::make_unique<NcclCommunicator>(std::move(host), id, device, options);
}

}  // namespace entune
