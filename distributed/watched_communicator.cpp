#include <array>
#include <utility>

#include "distributed/collective_watch.h"

namespace entune {
namespace {

constexpr std::array<const char*, kNumWatchedGroups> kGroups = {"world", "data axis", "tensor axis"};
constexpr std::array<const char*, kNumWatchedCalls> kCalls = {
    "all_reduce", "all_gather", "reduce_scatter", "broadcast", "barrier", "split", "MPI_Finalize"};

class WatchedCommunicator : public Communicator {
 public:
  WatchedCommunicator(Communicator& inner, WatchedGroup group, CollectiveWatch& watch)
      : inner_(inner), group_(group), watch_(watch) {}
  WatchedCommunicator(std::unique_ptr<Communicator> owned, WatchedGroup group, CollectiveWatch& watch)
      : owned_(std::move(owned)), inner_(*owned_), group_(group), watch_(watch) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    const WatchedScope scope(&watch_, group_, WatchedCall::all_reduce, tensor.nbytes());
    inner_.all_reduce(tensor, op);
  }
  void all_gather(at::Tensor& output, const at::Tensor& input) override {
    const WatchedScope scope(&watch_, group_, WatchedCall::all_gather, output.nbytes());
    inner_.all_gather(output, input);
  }
  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    const WatchedScope scope(&watch_, group_, WatchedCall::reduce_scatter, input.nbytes());
    inner_.reduce_scatter(output, input);
  }
  void broadcast(at::Tensor& tensor, int root) override {
    const WatchedScope scope(&watch_, group_, WatchedCall::broadcast, tensor.nbytes());
    inner_.broadcast(tensor, root);
  }
  void barrier() override {
    const WatchedScope scope(&watch_, group_, WatchedCall::barrier);
    inner_.barrier();
  }
  std::unique_ptr<Communicator> split(int color, int key) override {
    const WatchedScope scope(&watch_, group_, WatchedCall::split);
    return inner_.split(color, key);
  }
  std::unique_ptr<Communicator> split_by_machine() override {
    const WatchedScope scope(&watch_, group_, WatchedCall::split);
    return inner_.split_by_machine();
  }

 private:
  std::unique_ptr<Communicator> owned_;
  Communicator& inner_;
  const WatchedGroup group_;
  CollectiveWatch& watch_;
};

}  // namespace

const char* name_of(WatchedGroup group) { return kGroups[static_cast<std::size_t>(group)]; }

const char* name_of(WatchedCall call) { return kCalls[static_cast<std::size_t>(call)]; }

std::unique_ptr<Communicator> make_watched_communicator(Communicator& inner, WatchedGroup group,
                                                        CollectiveWatch& watch) {
  return std::make_unique<WatchedCommunicator>(inner, group, watch);
}

std::unique_ptr<Communicator> make_watched_communicator(std::unique_ptr<Communicator> inner, WatchedGroup group,
                                                        CollectiveWatch& watch) {
  return std::make_unique<WatchedCommunicator>(std::move(inner), group, watch);
}

}  // namespace entune
