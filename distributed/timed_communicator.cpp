#include "distributed/timed_communicator.h"

#include <chrono>
#include <utility>

namespace entune {
namespace {

class Stopwatch {
 public:
  explicit Stopwatch(CollectiveTime& time) : time_(time) {}
  ~Stopwatch() { time_.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  CollectiveTime& time_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

class TimedCommunicator : public Communicator {
 public:
  TimedCommunicator(Communicator& inner, CollectiveTime& time) : inner_(inner), time_(time) {}
  TimedCommunicator(std::unique_ptr<Communicator> owned, CollectiveTime& time)
      : owned_(std::move(owned)), inner_(*owned_), time_(time) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    const Stopwatch watch(time_);
    inner_.all_reduce(tensor, op);
  }
  void all_gather(at::Tensor& output, const at::Tensor& input) override {
    const Stopwatch watch(time_);
    inner_.all_gather(output, input);
  }
  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    const Stopwatch watch(time_);
    inner_.reduce_scatter(output, input);
  }
  void broadcast(at::Tensor& tensor, int root) override {
    const Stopwatch watch(time_);
    inner_.broadcast(tensor, root);
  }
  void barrier() override {
    const Stopwatch watch(time_);
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

std::unique_ptr<Communicator> make_timed_communicator(Communicator& inner, CollectiveTime& time) {
  return std::make_unique<TimedCommunicator>(inner, time);
}

}  // namespace entune
