#include "distributed/timed_communicator.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <memory>
#include <utility>

namespace entune {
namespace {

/// The time of one call on tensors of `device`, from construction to destruction.
class Stopwatch {
 public:
  Stopwatch(CollectiveTime& time, at::Device device) : time_(time), device_(device) {
    if (!device.is_cpu() && !is_beside_computation()) begin_event_ = std::make_unique<c10::Event>(event_of_now());
  }
  ~Stopwatch() {
    if (device_.is_cpu()) {
      time_.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    } else if (begin_event_) {
      time_.queued.push_back({std::move(*begin_event_), event_of_now()});
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
  at::Device device_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::unique_ptr<c10::Event> begin_event_;
};

class TimedCommunicator : public Communicator {
 public:
  TimedCommunicator(Communicator& inner, CollectiveTime& time) : inner_(inner), time_(time) {}
  TimedCommunicator(std::unique_ptr<Communicator> owned, CollectiveTime& time)
      : owned_(std::move(owned)), inner_(*owned_), time_(time) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    const Stopwatch watch(time_, tensor.device());
    inner_.all_reduce(tensor, op);
  }
  void all_gather(at::Tensor& output, const at::Tensor& input) override {
    const Stopwatch watch(time_, input.device());
    inner_.all_gather(output, input);
  }
  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    const Stopwatch watch(time_, input.device());
    inner_.reduce_scatter(output, input);
  }
  void broadcast(at::Tensor& tensor, int root) override {
    const Stopwatch watch(time_, tensor.device());
    inner_.broadcast(tensor, root);
  }
  void barrier() override {
    const Stopwatch watch(time_, at::kCPU);
    inner_.barrier();
  }
  std::unique_ptr<Communicator> split(int color, int key) override {
    return std::make_unique<TimedCommunicator>(inner_.split(color, key), time_);
  }
  std::unique_ptr<Communicator> split_by_machine() override {
    return std::make_unique<TimedCommunicator>(inner_.split_by_machine(), time_);
  }

 private:
  std::unique_ptr<Communicator> owned_;  // of a group that was split off; the world is its maker's
  Communicator& inner_;
  CollectiveTime& time_;
};

}  // namespace

std::unique_ptr<Communicator> make_timed_communicator(std::unique_ptr<Communicator> inner, CollectiveTime& time) {
  return std::make_unique<TimedCommunicator>(std::move(inner), time);
}

std::unique_ptr<Communicator> make_timed_communicator(Communicator& inner, CollectiveTime& time) {
  return std::make_unique<TimedCommunicator>(inner, time);
}

}  // namespace entune
