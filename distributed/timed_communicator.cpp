#include "distributed/timed_communicator.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <memory>
#include <utility>

namespace entune {
namespace {

/// Counts one call on tensors of `device`, and its time from construction to destruction.
class Stopwatch {
 public:
  Stopwatch(CollectiveTime& time, CollectiveCount& count, at::Device device, std::size_t bytes)
      : time_(time), count_(count), device_(device) {
    ++count_.calls;
    count_.bytes += static_cast<std::int64_t>(bytes);
    if (!device.is_cpu() && time.times_gpu) begin_event_ = std::make_unique<c10::Event>(event_of_now());
  }
  ~Stopwatch() {
    if (device_.is_cpu()) {
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
      time_.seconds += seconds;
      count_.seconds += seconds;
    } else if (begin_event_) {
      std::vector<CollectiveTime::Queued>& queue = is_beside_computation() ? time_.beside : time_.queued;
      queue.push_back({std::move(*begin_event_), event_of_now(), &count_});
    }
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  c10::Stream stream() const { return c10::impl::VirtualGuardImpl(device_.type()).getStream(device_); }
  bool is_beside_computation() const {
    return stream() != c10::impl::VirtualGuardImpl(device_.type()).getDefaultStream(device_);
  }
  c10::Event event_of_now() const {
    c10::Event event(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
    event.record(stream());
    return event;
  }

  CollectiveTime& time_;
  CollectiveCount& count_;
  at::Device device_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::unique_ptr<c10::Event> begin_event_;
};

class TimedCommunicator : public Communicator {
 public:
  TimedCommunicator(Communicator& inner, CollectiveTime& time, CollectiveCounts& counts)
      : inner_(inner), time_(time), counts_(counts) {}
  TimedCommunicator(std::unique_ptr<Communicator> owned, CollectiveTime& time, CollectiveCounts& counts)
      : owned_(std::move(owned)), inner_(*owned_), time_(time), counts_(counts) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    const Stopwatch watch = of(Collective::all_reduce, tensor);
    inner_.all_reduce(tensor, op);
  }
  void all_gather(at::Tensor& output, const at::Tensor& input) override {
    const Stopwatch watch = of(Collective::all_gather, output);
    inner_.all_gather(output, input);
  }
  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    const Stopwatch watch = of(Collective::reduce_scatter, input);
    inner_.reduce_scatter(output, input);
  }
  void broadcast(at::Tensor& tensor, int root) override {
    const Stopwatch watch = of(Collective::broadcast, tensor);
    inner_.broadcast(tensor, root);
  }
  void barrier() override {
    const Stopwatch watch(time_, count(Collective::barrier), at::kCPU, 0);
    inner_.barrier();
  }
  std::unique_ptr<Communicator> split(int color, int key) override {
    return std::make_unique<TimedCommunicator>(inner_.split(color, key), time_, counts_);
  }
  std::unique_ptr<Communicator> split_by_machine() override {
    return std::make_unique<TimedCommunicator>(inner_.split_by_machine(), time_, counts_);
  }

 private:
  CollectiveCount& count(Collective call) { return counts_[static_cast<std::size_t>(call)]; }
  Stopwatch of(Collective call, const at::Tensor& larger) {
    return Stopwatch(time_, count(call), larger.device(), larger.nbytes());
  }

  std::unique_ptr<Communicator> owned_;  // of a group that was split off; the world is its maker's
  Communicator& inner_;
  CollectiveTime& time_;
  CollectiveCounts& counts_;
};

}  // namespace

std::unique_ptr<Communicator> make_timed_communicator(std::unique_ptr<Communicator> inner, CollectiveTime& time,
                                                      CollectiveCounts& counts) {
  return std::make_unique<TimedCommunicator>(std::move(inner), time, counts);
}

std::unique_ptr<Communicator> make_timed_communicator(Communicator& inner, CollectiveTime& time,
                                                      CollectiveCounts& counts) {
  return std::make_unique<TimedCommunicator>(inner, time, counts);
}

}  // namespace entune
