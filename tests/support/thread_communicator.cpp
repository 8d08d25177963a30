#include "tests/support/thread_communicator.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "distributed/preconditions.h"

namespace entune::test {
namespace {

// Long enough for a slow machine; reached only when ranks wait for one another in different groups.
constexpr std::chrono::seconds kPatience{120};

/// What ends the other ranks once one has failed; never the error that spawn_ranks reports if there is another.
struct PeerFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One run of spawn_ranks: its first error, and the lock of all groups within it.
struct Run {
  std::mutex mutex;
  std::condition_variable changed;
  std::exception_ptr first_error;
  std::exception_ptr first_consequence;  ///< of an error that its rank kept to itself
  bool failing = false;                  ///< some rank's error is on its way to spawn_ranks
};

/// What the ranks of one group share.
struct Group {
  Group(std::shared_ptr<Run> run, int size)
      : run(std::move(run)), calls(size), tensors(size), splits(size), left(size, false) {}

  std::shared_ptr<Run> run;
  std::vector<std::string> calls;  ///< what each rank is calling
  std::vector<at::Tensor> tensors;
  std::vector<std::shared_ptr<Group>> splits;
  std::vector<bool> left;  ///< ranks whose communicator is gone
  std::int64_t generation = 0;
  int arrived = 0;
};

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}
  ~ThreadCommunicator() override {
    const std::lock_guard lock(group_->run->mutex);
    // Communicators die before the error that kills them arrives: peers must not take that for leaving early.
    if (std::uncaught_exceptions() > 0) {
      group_->run->failing = true;
    } else {
      group_->left[rank_] = true;
    }
    group_->run->changed.notify_all();
  }

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(group_->calls.size()); }

  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    check_transportable(tensor, "all_reduce");
    const at::NoGradGuard no_grad;
    meet(describe(op == ReduceOp::sum ? "all_reduce sum" : "all_reduce max", tensor), tensor);
    const at::Tensor result = reduce(group_->tensors, op);
    wait();  // until all have read
    tensor.copy_(result);
    wait();
  }

  void all_gather(at::Tensor& output, const at::Tensor& input) override {
    check_parts(output, input, size(), "all_gather");
    const at::NoGradGuard no_grad;
    meet(describe("all_gather", input), input);
    output.copy_(at::cat(group_->tensors));
    wait();
  }

  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    check_parts(input, output, size(), "reduce_scatter");
    const at::NoGradGuard no_grad;
    meet(describe("reduce_scatter", input), input);
    std::vector<at::Tensor> parts;
    for (const at::Tensor& tensor : group_->tensors) {
      parts.push_back(tensor.narrow(0, rank_ * output.size(0), output.size(0)));
    }
    output.copy_(reduce(parts, ReduceOp::sum));
    wait();
  }

  void broadcast(at::Tensor& tensor, int root) override {
    check_transportable(tensor, "broadcast");
    check_root(root, size(), "broadcast");
    const at::NoGradGuard no_grad;
    meet(describe("broadcast from " + std::to_string(root), tensor), tensor);
    if (rank_ != root) {
      tensor.copy_(group_->tensors[root]);
    }
    wait();
  }

  void barrier() override { meet("barrier", at::Tensor()); }

  std::unique_ptr<Communicator> split(int color, int key) override {
    TORCH_CHECK(color >= 0, "split: expected a color of 0 or more, found ", color);
    meet("split", at::tensor({color, key}, at::kLong));
    std::vector<std::pair<std::int64_t, int>> members;  // (key, rank)
    for (int peer = 0; peer < size(); ++peer) {
      if (group_->tensors[peer][0].item<std::int64_t>() == color) {
        members.emplace_back(group_->tensors[peer][1].item<std::int64_t>(), peer);
      }
    }
    std::ranges::sort(members);
    const int leader = members.front().second;
    if (rank_ == leader) {
      group_->splits[leader] = std::make_shared<Group>(group_->run, static_cast<int>(members.size()));
    }
    wait();
    const std::shared_ptr<Group> part = group_->splits[leader];
    wait();
    const auto mine = std::ranges::find(members, rank_, &std::pair<std::int64_t, int>::second);
    return std::make_unique<ThreadCommunicator>(part, static_cast<int>(mine - members.begin()));
  }

 private:
  static std::string describe(const std::string& call, const at::Tensor& tensor) {
    return c10::str(call, " of ", tensor.scalar_type(), " ", tensor.sizes());
  }

  /// In rank order, so that every rank computes the same bits.
  static at::Tensor reduce(const std::vector<at::Tensor>& tensors, ReduceOp op) {
    const at::ScalarType type = tensors.front().scalar_type();
    at::Tensor result = tensors.front().to(type == at::kBFloat16 ? at::kFloat : type, false, /*copy=*/true);
    for (std::size_t i = 1; i < tensors.size(); ++i) {
      op == ReduceOp::sum ? result.add_(tensors[i])
                          : result.copy_(at::maximum(result, tensors[i].to(result.scalar_type())));
    }
    return result.to(type);
  }

  /// Shows the peers this rank's call and tensor and waits for theirs.
  void meet(const std::string& call, const at::Tensor& tensor) {
    check_thread();
    group_->calls[rank_] = call;
    group_->tensors[rank_] = tensor;
    wait();
    for (int peer = 0; peer < size(); ++peer) {
      if (group_->calls[peer] != call) {
        throw std::logic_error(
            c10::str("ranks disagree: ", rank_, " calls '", call, "', ", peer, " calls '", group_->calls[peer], "'"));
      }
    }
    if (call == "barrier") {
      wait();
    }
  }

  /// Autograd runs the backward pass of a CPU graph on the calling thread; MPI's thread level rests on that.
  void check_thread() const {
    if (std::this_thread::get_id() != thread_) {
      throw std::logic_error(c10::str("rank ", rank_, " communicates from another thread than its own"));
    }
  }

  void wait() {
    Run& run = *group_->run;
    std::unique_lock lock(run.mutex);
    const std::int64_t generation = group_->generation;
    if (++group_->arrived == size()) {
      group_->arrived = 0;
      ++group_->generation;
      run.changed.notify_all();
      return;
    }
    const auto is_over = [&] {
      return group_->generation != generation || run.first_error ||
             std::ranges::find(group_->left, true) != group_->left.end();
    };
    const bool in_time = run.changed.wait_for(lock, kPatience, is_over);
    if (group_->generation != generation) {
      return;
    }
    if (run.failing) {
      throw PeerFailed("another rank failed");
    }
    throw std::logic_error(c10::str("rank ", rank_, " waits in '", group_->calls[rank_], "' for a rank that ",
                                    in_time ? "has left" : "does not come"));
  }

  const std::shared_ptr<Group> group_;
  const int rank_;
  const std::thread::id thread_ = std::this_thread::get_id();
};

}  // namespace

void spawn_ranks(int num_ranks, const std::function<void(Communicator&)>& body) {
  const auto run = std::make_shared<Run>();
  const auto world = std::make_shared<Group>(run, num_ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < num_ranks; ++rank) {
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      ThreadCommunicator communicator(world, rank);
      try {
        body(communicator);
      } catch (const PeerFailed&) {
        const std::lock_guard lock(run->mutex);
        run->first_consequence = std::current_exception();
      } catch (...) {
        const std::lock_guard lock(run->mutex);
        run->failing = true;
        if (!run->first_error) {
          run->first_error = std::current_exception();
        }
        run->changed.notify_all();
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const std::exception_ptr& error : {run->first_error, run->first_consequence}) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

}  // namespace entune::test
